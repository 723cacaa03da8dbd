/** A reception that power cuts can strike: what was sent, what was acknowledged when, and what a box must hold then. */
import assert from 'node:assert/strict';
import { AppError } from '../../firmware/src/errors.ts';
import type { FileSystem } from '../../firmware/src/store/file-system.ts';
import { allDropped, emptyDisk, PowerCutDisk, type DiskImage } from '../fakes/power-cut-disk.ts';
import { randomFrom } from '../sim/random.ts';
import { hastyClock } from './manual-clock.ts';
import { ReceivingBox } from './receiving-box.ts';
import { sampleObject, sha256Of, type SampleObject } from './sample-object.ts';

/** It is there, and safe, before a store is opened in it. */
const dataFolder = '/data';
const folder = `${dataFolder}/objects`;
const studyA = '1.2.826.0.1.3680043.10.2.1';
const studyB = '1.2.826.0.1.3680043.10.2.2';
const studyC = '1.2.826.0.1.3680043.10.2.3';
const smallBytes = 1_500;
/** For it, its study's log moves into a spare; two fit into one. */
const sliceBytes = 66_000;
const spares = { count: 2, bytes: 160_000, stepBytes: 65_536, clock: hastyClock };
/** More than one segment of 1 MiB: it gets a file of its own. */
const largeBytes = 1_060_000;

export interface Acknowledged {
  readonly sopInstanceUid: string;
  /** Of its data set. */
  readonly sha256: string;
  /** Events of the disk before it was answered 0x0000. */
  readonly events: number;
}

function object(studyInstanceUid: string, number: number, pixelBytes = smallBytes): SampleObject {
  return sampleObject({ studyInstanceUid, number, pixelBytes, seed: number });
}

/** The same UID with other pixels: it is set aside. */
function imposter(studyInstanceUid: string, number: number): SampleObject {
  return sampleObject({ studyInstanceUid, number, pixelBytes: smallBytes, seed: number + 1_000 });
}

/** What each of three associations sends, one object after the other. */
const associations: readonly (readonly SampleObject[])[] = [
  [object(studyA, 1), object(studyA, 2), object(studyA, 3, largeBytes), object(studyA, 4), object(studyA, 5)],
  // Two of them in one study: their records share flushes. One object comes on both.
  [
    object(studyA, 11),
    object(studyA, 2),
    object(studyA, 12),
    object(studyB, 1, sliceBytes),
    object(studyB, 2, sliceBytes),
  ],
  [
    object(studyC, 1),
    object(studyC, 2),
    object(studyC, 2),
    imposter(studyC, 2),
    object(studyA, 21, sliceBytes),
  ],
];
/** What comes after a power cut: into a study that was there, again, and as a new study. */
const afterwards = [
  object(studyA, 31),
  object(studyA, 1),
  object('1.2.826.0.1.3680043.10.2.4', 1, sliceBytes),
];

/** Every object that is sent at any time. */
const sent = new Set(
  [...associations.flat(), ...afterwards].map((each) => nameOf(each.sopInstanceUid, sha256Of(each.dataSet))),
);

export class PowerCutStory {
  readonly #boxKey: Uint8Array;

  constructor(boxKey: Uint8Array) {
    this.#boxKey = boxKey;
  }

  /** The whole reception on a disk with nothing but the data folder. `files` stands between the box and its disk. */
  async receive(disk: PowerCutDisk, files: FileSystem = disk): Promise<readonly Acknowledged[]> {
    const box = await this.#open(files);
    await box.prepareSpares();
    const acknowledged = await Promise.all(associations.map((objects) => keepAll(box, disk, objects)));
    await box.close();
    return acknowledged.flat();
  }

  /**
   * A box on a disk after a power cut: it holds what was acknowledged, nothing in halves, and no leftovers; it goes on
   * receiving. @throws AssertionError or AppError where that is not so. @returns what is acknowledged by then.
   */
  async recover(
    disk: PowerCutDisk,
    acknowledged: readonly Acknowledged[],
    files: FileSystem = disk,
  ): Promise<readonly Acknowledged[]> {
    const before = acknowledged.map((each) => ({ ...each, events: 0 }));
    const box = await this.#open(files);
    await assertHolds(box, before);
    assertNoLeftovers(disk, box);
    const news = await keepAll(box, disk, afterwards);
    assert.equal(news.length, afterwards.length, 'the box goes on receiving');
    await box.close();
    return [...before, ...news];
  }

  #open(files: FileSystem): Promise<ReceivingBox> {
    return ReceivingBox.open({ folder, boxKey: this.#boxKey, files, spares });
  }
}

/** A disk with an empty data folder. */
export async function freshDisk(): Promise<DiskImage> {
  const disk = new PowerCutDisk(emptyDisk, randomFrom(0));
  await disk.makeFolder(dataFolder);
  await disk.syncFolder('/');
  return disk.cutAfter(disk.events, allDropped, randomFrom(0));
}

/** Those that were answered 0x0000 before so many events. */
export function acknowledgedBy(acknowledged: readonly Acknowledged[], events: number): Acknowledged[] {
  return acknowledged.filter((each) => each.events <= events);
}

async function keepAll(
  box: ReceivingBox,
  disk: PowerCutDisk,
  objects: readonly SampleObject[],
): Promise<Acknowledged[]> {
  const acknowledged: Acknowledged[] = [];
  for (const { dataSet, ...identity } of objects) {
    try {
      const sink = box.keeper.receive({ ...identity, callingAeTitle: 'CT_1', remoteAddress: '192.0.2.7' });
      for (let at = 0; at < dataSet.length; at += 65_536) await sink.write(dataSet.subarray(at, at + 65_536));
      const { status } = await sink.finish();
      if (status !== 0) continue;
    } catch (error) {
      // Answered with a failure: no promise was made.
      if (!(error instanceof AppError)) throw error;
      continue;
    }
    const { sopInstanceUid } = identity;
    acknowledged.push({ sopInstanceUid, sha256: sha256Of(dataSet), events: disk.events });
  }
  return acknowledged;
}

function nameOf(sopInstanceUid: string, sha256: string): string {
  return `${sopInstanceUid} ${sha256}`;
}

async function assertHolds(box: ReceivingBox, acknowledged: readonly Acknowledged[]): Promise<void> {
  const objects = [...(await box.objects()), ...box.quarantined()].map((each) => nameOf(...each));
  const held = new Set(objects);
  assert.equal(held.size, objects.length, 'an object is listed twice');
  for (const name of held) assert.ok(sent.has(name), `${name} is listed in halves`);
  for (const { sopInstanceUid, sha256 } of acknowledged)
    assert.ok(held.has(nameOf(sopInstanceUid, sha256)), `${sopInstanceUid} was acknowledged`);
}

function assertNoLeftovers(disk: PowerCutDisk, box: ReceivingBox): void {
  const found = disk
    .paths()
    .filter((path) => path.startsWith(`${folder}/`))
    .map((path) => path.slice(folder.length + 1).replace(/\/$/, ''))
    .filter((path) => path !== '');
  assert.deepEqual(found.sort(), box.paths(), 'leftovers of the power cut');
}
