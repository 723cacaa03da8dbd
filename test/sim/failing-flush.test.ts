/**
 * A disk that fails a flush and goes on, as Linux has it: what the flush was to bring to disk is taken for written, and no
 * later flush brings it. Then the power goes, at every point. What a study acknowledged before and afterwards is there,
 * whether the log was made good by the box that saw the fault or by one that was started after it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StudyFolder } from '../../firmware/src/ports.ts';
import { StudyStore } from '../../firmware/src/store/study-store.ts';
import {
  allDropped,
  allKept,
  anyOf,
  emptyDisk,
  PowerCutDisk,
  type DiskImage,
  type Fates,
} from '../fakes/power-cut-disk.ts';
import { randomFrom } from './random.ts';

const folder = '/data/objects';
const boxKey = new Uint8Array(32).fill(7);
const atOnce = (): Promise<void> => Promise.resolve();
/** `HILUM_POWER_CUT_SEEDS=…` looks at more random combinations of each cut. */
const randomCuts = 1 + Number(process.env['HILUM_POWER_CUT_SEEDS'] ?? 1);

interface Acknowledged {
  readonly id: number;
  /** Events of the disk when it was. */
  readonly at: number;
}

class Story {
  readonly disk: PowerCutDisk;
  readonly acknowledged: Acknowledged[] = [];
  #store: StudyStore;
  #study: StudyFolder;
  #next = 0;
  /** The process is ended while it makes the log good. */
  #isDying = false;

  private constructor(disk: PowerCutDisk, store: StudyStore, study: StudyFolder) {
    this.disk = disk;
    this.#store = store;
    this.#study = study;
    const open = disk.open.bind(disk);
    disk.open = async (path, flags) => {
      const file = await open(path, flags);
      const truncate = (length: number): Promise<void> =>
        this.#isDying ? Promise.reject(new Error('it is ended')) : file.truncate(length);
      return { ...file, truncate };
    };
  }

  static async begin(seed: number): Promise<Story> {
    const made = new PowerCutDisk(emptyDisk, randomFrom(seed), atOnce);
    await made.makeFolder('/data');
    await made.syncFolder('/');
    const safe = made.cutAfter(made.events, allDropped, randomFrom(0));
    const disk = new PowerCutDisk(safe, randomFrom(seed), atOnce);
    const store = new StudyStore({ folder, boxKey, files: disk });
    for await (const { folder: study } of store.open()) assert.fail(`a new disk holds ${study.ref}`);
    return new Story(disk, store, await store.createStudy());
  }

  /** A record; with `bytes` that of an object. */
  async keep(bytes = 0): Promise<void> {
    const id = this.#next++;
    if (bytes === 0) await this.#study.append({ id });
    else {
      const writer = this.#study.createObject([]);
      await writer.write(new Uint8Array(bytes).fill(id));
      await (
        await writer.finish()
      ).append(({ ref, frame, length, lastTag }) => ({ id, ref, frame, length, lastTag }));
    }
    this.acknowledged.push({ id, at: this.disk.events });
  }

  async lose(bytes = 0, flushes = 1): Promise<void> {
    this.disk.failingFlushes = flushes;
    await assert.rejects(this.keep(bytes), { code: 'STORE_FAILED' });
    this.disk.failingFlushes = 0;
  }

  /** What failed stays in the memory of the machine as it was written. */
  async loseAndDie(): Promise<void> {
    this.#isDying = true;
    await this.lose(900);
    this.#isDying = false;
    await this.restart();
  }

  rest(): Promise<void> {
    return this.#study.rest();
  }

  /** The process ends without a word; the machine goes on, and holds in memory what it held. */
  async restart(): Promise<void> {
    this.#store = new StudyStore({ folder, boxKey, files: this.disk });
    const studies: StudyFolder[] = [];
    for await (const { folder: study } of this.#store.open()) studies.push(study);
    assert.equal(studies.length, 1);
    [this.#study] = studies as [StudyFolder];
  }
}

/** @throws what is wrong. */
async function assertHeld(
  image: DiskImage,
  acknowledged: readonly Acknowledged[],
  what: string,
): Promise<void> {
  const store = new StudyStore({ folder, boxKey, files: new PowerCutDisk(image, randomFrom(1), atOnce) });
  const held = new Set<number>();
  for await (const { folder: study, records } of store.open())
    for (const record of records as readonly {
      id: number;
      ref?: string;
      frame: number;
      length: number;
      lastTag: Uint8Array;
    }[]) {
      held.add(record.id);
      if (record.ref === undefined) continue;
      const reader = await study.openObject({ ...record, ref: record.ref });
      for (let index = 0; index < reader.segmentCount; index++)
        assert.ok(
          (await reader.segment(index)).every((byte) => byte === record.id),
          what,
        );
      await reader.close();
    }
  await store.close();
  for (const { id } of acknowledged) assert.ok(held.has(id), `${what}: ${id} was acknowledged`);
}

async function assertSurvives({ disk, acknowledged }: Story, from: number): Promise<void> {
  for (let events = from; events <= disk.events; events++) {
    const fates: [string, Fates][] = [
      ['all dropped', allDropped],
      ['all kept', allKept],
      ...Array.from({ length: randomCuts }, (_, n): [string, Fates] => [
        `seed ${n}`,
        anyOf(randomFrom(1_000 * events + n)),
      ]),
    ];
    const told = acknowledged.filter(({ at }) => at <= events);
    for (const [name, fate] of fates)
      await assertHeld(
        disk.cutAfter(events, fate, randomFrom(events)),
        told,
        `after ${events} events, ${name}`,
      );
  }
}

/** What comes before the fault: a log that is being written, one that rested, one that grew. */
const beginnings: readonly (readonly [string, (story: Story) => Promise<void>])[] = [
  ['in use', async (story) => story.keep(3_000)],
  [
    'that rested',
    async (story) => {
      await story.keep(3_000);
      await story.rest();
    },
  ],
  [
    'of a box that was started anew',
    async (story) => {
      await story.keep(3_000);
      await story.rest();
      await story.restart();
    },
  ],
];

const endings: readonly (readonly [string, (story: Story) => Promise<void>])[] = [
  ['and the next record comes', () => Promise.resolve()],
  ['and the box is started anew', (story) => story.restart()],
  ['and another, and the box is ended at once', (story) => story.loseAndDie()],
  [
    'twice, and the box is started anew',
    async (story) => {
      await story.lose(0, 3);
      await story.restart();
    },
  ],
];

for (const [before, begin] of beginnings)
  for (const [after, end] of endings)
    test(`a flush fails in a log ${before}, ${after}`, async () => {
      for (const bytes of [0, 700, 1_100_000]) {
        const story = await Story.begin(1);
        await story.keep();
        await begin(story);
        const from = story.disk.events;
        await story.lose(bytes, bytes > 1_048_576 ? 1 : 2);
        await end(story);
        await story.keep(500);
        await story.keep();
        await story.rest();
        await story.keep(bytes);
        await assertSurvives(story, from);
      }
    });
