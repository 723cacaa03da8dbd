/** What a grantee takes: nothing that the ledger's commitment does not cover is used, what was verified before stays. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { equalBytes } from '../../firmware/src/encoding/bytes.ts';
import type { OpenHeaderScanner } from '../../firmware/src/ports.ts';
import { chunkBytes } from '../../firmware/src/protocol/limits.ts';
import { decodeManifest, encodeManifest, type Manifest } from '../../firmware/src/protocol/manifests.ts';
import { encodeStreamHead } from '../../firmware/src/release/messages.ts';
import { streamObjects } from '../../firmware/src/release/stream.ts';
import { StudyReceiver, type KeptRoom } from '../../firmware/src/release/study-receiver.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import { MemoryObjectDisk, MemoryObjectStore } from '../fakes/object-store.ts';
import { ampleRoom } from '../support/ample-room.ts';
import { openPlainScanner } from '../support/plain-data-set.ts';
import { patient, ReleaseWorld } from '../support/release-world.ts';

const world = new ReleaseWorld();
const study = await world.registeredStudy('1.2.3', [
  randomBytes(1000),
  randomBytes(2 * chunkBytes + 5),
  randomBytes(30),
]);
const commitment = world.record(study)?.commitment ?? new Uint8Array(0);
const { studyId } = study;
assert.ok(studyId !== undefined);

/** Frames of the study as its source sends them: head, manifest, one chunk, three chunks, one chunk. */
async function honestFrames(skip = 0): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  for await (const frame of streamObjects({
    study,
    objects: study.newest,
    skip,
    clock: world.clock,
    groundAgainst: () => undefined,
    onObjectSent: () => undefined,
    cut: () => undefined,
  }))
    frames.push(new Uint8Array(frame));
  return frames;
}

const honest = await honestFrames();
assert.equal(honest.length, 7);

/** A grantee's box with its disk. Counts the bytes that the header scanner, the first user of them, was shown. */
class Receiving {
  readonly disk = new MemoryObjectDisk();
  readonly catalogue = new Catalogue(new MemoryObjectStore(this.disk));
  readonly progress: number[] = [];
  /** Bytes for which room is kept on the disk, of all that there are. */
  roomBytes = 0;
  roomBytesMax = Infinity;
  shown = 0;

  get kept(): KeptStudy | undefined {
    return this.catalogue.byStudyId(studyId!);
  }

  keepRoom(bytes: number): Promise<KeptRoom> {
    if (bytes > this.roomBytesMax) return Promise.reject(new AppError('DISK_LOW', 'no room'));
    let left = bytes;
    this.roomBytes += bytes;
    return Promise.resolve({
      take: (taken) => {
        left -= taken;
        this.roomBytes -= taken;
        assert.ok(left >= 0, 'more is taken than was kept');
        return undefined;
      },
      end: () => {
        this.roomBytes -= left;
        left = 0;
      },
    });
  }

  async receive(frames: Iterable<Uint8Array>, skip = 0): Promise<KeptStudy | undefined> {
    const openHeaderScanner: OpenHeaderScanner = (syntax) => {
      const scanner = openPlainScanner(syntax);
      return {
        push: (chunk) => {
          this.shown += chunk.length;
          return scanner.push(chunk);
        },
        end: () => scanner.end(),
        close: () => scanner.close(),
      };
    };
    const receiver = new StudyReceiver({
      catalogue: this.catalogue,
      openHeaderScanner,
      clock: world.clock,
      keepRoom: (bytes) => this.keepRoom(bytes),
    });
    return receiver.receive(asyncOf(frames), {
      studyId: studyId!,
      source: 'north',
      commitment,
      held: (this.kept?.newest ?? []).slice(0, skip),
      onProgress: (objects) => this.progress.push(objects),
    });
  }

  /** The files of objects on the disk: none may be there that no manifest names. */
  get files(): number {
    return [...this.disk.studies.values()].reduce((sum, { objects }) => sum + objects.size, 0);
  }
}

async function* asyncOf(frames: Iterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for (const frame of frames) yield Promise.resolve(frame);
}

function assertSame(kept: KeptStudy | undefined, objects: number): void {
  assert.equal(kept?.objects.length, objects);
  for (const [index, object] of kept.objects.entries()) {
    const sent = study.objects[index];
    assert.ok(sent !== undefined);
    assert.ok(equalBytes(object.leaves, sent.leaves));
  }
}

function replaced(at: number, frame: Uint8Array): Uint8Array[] {
  return honest.with(at, frame);
}

function flipped(at: number, byte: number): Uint8Array[] {
  const frame = (honest[at] ?? new Uint8Array(0)).slice();
  frame[byte] = (frame[byte] ?? 0) ^ 1;
  return replaced(at, frame);
}

const unverified = { code: 'TRANSFER_UNVERIFIED' };

test('an honest stream is kept whole, as fetched from its source, under the patient whom it names', async () => {
  const box = new Receiving();
  const kept = await box.receive(honest);
  assertSame(kept, 3);
  assert.deepEqual(box.progress, [1, 2, 3]);
  assert.deepEqual(kept?.created.origin, { kind: 'fetched', source: 'north', studyId });
  assert.deepEqual(kept?.created.patient, patient);
  assert.equal(box.kept, kept);
  assert.ok(box.catalogue.wasFetched('1.2.3.1'), 'what the own PACS routes back is recognised');
});

test('what was received is read again after a restart, under the same ledger id', async () => {
  const box = new Receiving();
  await box.receive(honest);
  const again = new Catalogue(new MemoryObjectStore(box.disk));
  await again.load(({ created }) => (created.origin.kind === 'fetched' ? created.origin.studyId : undefined));
  assertSame(again.byStudyId(studyId), 3);
});

const [, , first, second, third, fourth, last] = honest as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

// Objects that are whole before the fault stay; of the fault's own object nothing does.
const faults: readonly (readonly [name: string, frames: readonly Uint8Array[], keeps: number])[] = [
  ['a flipped bit in the first chunk', flipped(2, 500), 0],
  ['a flipped bit in a first byte', flipped(2, 0), 0],
  ['a flipped bit in the middle chunk of an object', flipped(4, chunkBytes - 1), 1],
  ['a flipped bit in the last chunk', flipped(6, 3), 2],
  ['two chunks of one object swapped', honest.with(3, fourth).with(4, third).with(5, second), 1],
  ['full chunks of one object swapped', honest.with(3, third).with(4, second), 1],
  ['two objects swapped', [...honest.slice(0, 2), last, second, third, fourth, first], 0],
  ['a chunk doubled', [...honest.slice(0, 4), second, ...honest.slice(4)], 1],
  ['an object doubled', [...honest.slice(0, 3), first, ...honest.slice(3)], 1],
  ['a chunk left out', [...honest.slice(0, 4), ...honest.slice(5)], 1],
  ['a chunk truncated by a byte', replaced(3, second.subarray(0, -1)), 1],
  ['a chunk extended by a byte', replaced(6, Buffer.concat([last, Buffer.of(0)])), 2],
  ['a chunk in two frames', [...honest.slice(0, 3), second.subarray(0, 9), second.subarray(9), third], 1],
  ['an empty chunk', replaced(6, new Uint8Array(0)), 2],
  ['a chunk added at the end', [...honest, last], 3],
  ['an empty chunk added at the end', [...honest, new Uint8Array(0)], 3],
  ['an end in the middle of an object', honest.slice(0, 5), 1],
  ['an end between two objects', honest.slice(0, 3), 1],
  ['an end before the first chunk', honest.slice(0, 2), 0],
  ['an end before the manifest', honest.slice(0, 1), 0],
  ['nothing at all', [], 0],
  ['a flipped bit in the manifest', flipped(1, 40), 0],
  ['a manifest cut short', replaced(1, (honest[1] ?? first).subarray(0, -1)), 0],
  ['no head', honest.slice(1), 0],
  ['a head that announces no manifest', replaced(0, encodeStreamHead(0)), 0],
  ['a head that announces more manifest than there is', replaced(0, encodeStreamHead(2)), 0],
  ['a head that announces more manifest than any has', replaced(0, encodeStreamHead(1_000_000)), 0],
];

for (const [name, frames, keeps] of faults) {
  test(`${name}: refused before use, ${keeps} objects stay`, async () => {
    const box = new Receiving();
    await assert.rejects(box.receive(frames), unverified);
    if (keeps === 0) {
      assert.equal(box.shown, 0, 'not a byte was looked at');
      assert.equal(box.kept, undefined);
      assert.equal(box.disk.studies.size, 0);
    } else assertSame(box.kept, keeps);
    assert.equal(box.files, keeps);
    assert.equal(box.disk.begun, 0, 'no file stays open');
    assert.deepEqual(box.progress, [1, 2, 3].slice(0, keeps));
  });
}

function manifestOf(bytes: Uint8Array | undefined): Manifest {
  const decoded = decodeManifest(bytes ?? new Uint8Array(0));
  assert.ok(decoded.kind === 'manifest');
  return decoded.manifest;
}

for (const [name, change] of [
  ['another top', (manifest) => ({ ...manifest, top: randomBytes(32) })],
  ['an object less', ({ top, instances }) => ({ top, instances: instances.slice(0, -1) })],
  ['no object', ({ top }) => ({ top, instances: [] })],
  ['an object twice', ({ top, instances }) => ({ top, instances: [...instances, ...instances.slice(0, 1)] })],
  ['objects in another order', ({ top, instances }) => ({ top, instances: instances.toReversed() })],
  [
    'an object of the attacker’s making',
    ({ top, instances }) => ({
      top,
      instances: [...instances, { key: randomBytes(32), length: 10, leaves: randomBytes(32) }],
    }),
  ],
] as const satisfies readonly (readonly [string, (manifest: Manifest) => Manifest])[]) {
  test(`a manifest with ${name} is refused before a chunk is read`, async () => {
    const box = new Receiving();
    let read = 0;
    const frames = replaced(1, encodeManifest(change(manifestOf(honest[1]))));
    const counted = (function* () {
      for (const frame of frames) {
        read++;
        yield frame;
      }
    })();
    await assert.rejects(box.receive(counted), unverified);
    assert.equal(read, 2);
    assert.equal(box.disk.studies.size, 0);
  });
}

for (const held of [1, 2]) {
  test(`after a break with ${held} objects the next stream brings the others only`, async () => {
    const box = new Receiving();
    const brokenAt = held === 1 ? 4 : 6;
    await assert.rejects(box.receive(honest.slice(0, brokenAt)), unverified);
    assertSame(box.kept, held);
    const before = box.files;
    const kept = await box.receive(await honestFrames(held), held);
    assertSame(kept, 3);
    assert.equal(box.files - before, 3 - held);
    assert.deepEqual(box.progress, [1, 2, 3]);
  });
}

test('a stream that has nothing more to bring leaves all as it is', async () => {
  const box = new Receiving();
  await box.receive(honest);
  assert.equal(await box.receive(await honestFrames(3), 3), undefined);
  assertSame(box.kept, 3);
  await assert.rejects(box.receive(honest, 3), unverified);
  assertSame(box.kept, 3);
});

test('a resumed stream that brings what is held already is refused', async () => {
  const box = new Receiving();
  await assert.rejects(box.receive(honest.slice(0, 4)), unverified);
  await assert.rejects(box.receive(honest, 1), unverified);
  assertSame(box.kept, 1);
});

test('a version whose first objects are other than those that are held is refused', async () => {
  const other = await world.registeredStudy('1.2.4', [randomBytes(1000), randomBytes(20)]);
  const box = new Receiving();
  await assert.rejects(box.receive(honest.slice(0, 3)), unverified);
  const frames = streamObjects({
    study: other,
    objects: other.newest,
    skip: 1,
    onObjectSent: () => undefined,
    clock: world.clock,
    groundAgainst: () => undefined,
    cut: () => undefined,
  });
  const receiver = new StudyReceiver({
    catalogue: box.catalogue,
    openHeaderScanner: openPlainScanner,
    clock: world.clock,
    keepRoom: ampleRoom,
  });
  const otherCommitment = world.record(other)?.commitment;
  assert.ok(otherCommitment !== undefined);
  const incoming = {
    studyId,
    source: 'north',
    commitment: otherCommitment,
    held: box.kept?.newest ?? [],
    onObjectSent: () => undefined,
    onProgress: () => undefined,
  };
  await assert.rejects(receiver.receive(frames, incoming), unverified);
  assertSame(box.kept, 1);
});

test('a full disk is a fault of this box, not of the source; what is on disk stays', async () => {
  const box = new Receiving();
  const frames = (function* () {
    yield* honest.slice(0, 5);
    box.disk.failing = true;
    yield* honest.slice(5);
  })();
  await assert.rejects(box.receive(frames), { code: 'STORE_FAILED' });
  assert.equal(box.kept?.objects.length, 1);
});

test('a study for which the disk has no room is not begun, and room is given back however it ends', async () => {
  const box = new Receiving();
  box.roomBytesMax = 1;
  await assert.rejects(box.receive(honest), { code: 'DISK_LOW' });
  assert.deepEqual([box.files, box.catalogue.studies().length], [0, 0]);
  box.roomBytesMax = Infinity;
  await assert.rejects(box.receive(honest.slice(0, 4)), unverified);
  assert.equal(box.roomBytes, 0);
  const again = new Receiving();
  await again.receive(honest);
  assert.equal(again.roomBytes, 0);
});

test('whatever ends the reception, the source is told that nobody reads any more', async () => {
  let ended = false;
  const frames = (function* () {
    try {
      yield* flipped(2, 1);
    } finally {
      ended = true;
    }
  })();
  await assert.rejects(new Receiving().receive(frames), unverified);
  assert.equal(ended, true);
});
