/** Segments that are hashed and sealed on threads while they arrive: the bytes, the memory, and threads that fail. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ObjectWriter } from '../../firmware/src/ports.ts';
import { chunkLeaf } from '../../firmware/src/protocol/commitments.ts';
import {
  sealedOnLoopBytesMax,
  sealMessageBytesMin,
  sealThreadRetryMs,
  segmentBytes,
  sharedSegmentsMax,
} from '../../firmware/src/store/limits.ts';
import { openSegment as openSealed } from '../../firmware/src/store/object-seal.ts';
import { openSealWorker, type SealThread } from '../../firmware/src/store/seal-threads.ts';
import { SegmentMemory, SharedSegment, type SegmentPlace } from '../../firmware/src/store/segment-memory.ts';
import { sealOnLoop, type OpenSegmentOf } from '../../firmware/src/store/segment-sealing.ts';
import type { SegmentKeys } from '../../firmware/src/store/segment-work.ts';
import { StudyStore } from '../../firmware/src/store/study-store.ts';
import { sealThreadsScene } from '../support/seal-threads.ts';
import { settle, until } from '../support/until.ts';
import { watchedDisk } from '../support/watched-disk.ts';

const newKeys = (leaves = 1): SegmentKeys => ({
  seal: randomBytes(32),
  leaves: Array.from({ length: leaves }, () => randomBytes(32)),
});
/** More than is sealed on the event loop. */
const long = randomBytes(sealedOnLoopBytesMax + 1);

/** Seals it in such pieces and asserts that it opens again and has the leaves of the commitment. */
async function assertSealed(
  open: OpenSegmentOf,
  bytes: Uint8Array,
  pieces: readonly number[],
  index = 0,
): Promise<void> {
  const keys = newKeys(2);
  const segment = open(keys, index);
  let at = 0;
  for (const size of [...pieces, bytes.length]) {
    segment.write(bytes.subarray(at, at + size));
    at = Math.min(bytes.length, at + size);
  }
  const sealed = await segment.end();
  const leaves = keys.leaves.map((key) => chunkLeaf(key, index, bytes));
  assert.ok(Buffer.concat(leaves).equals(sealed.leaves));
  const key = { header: new Uint8Array(0), key: keys.seal };
  assert.ok(Buffer.from(openSealed(key, index, Buffer.concat(sealed.pieces))).equals(bytes));
  sealed.release();
}

test('sealed on a thread or on the event loop, in whatever pieces they come, bytes and leaves are the same', async (t) => {
  const { openSegment, ready } = sealThreadsScene(t);
  await ready(1);
  const length = fc.oneof(
    fc.integer({ min: 0, max: segmentBytes }),
    fc.constantFrom(0, 1, sealedOnLoopBytesMax, sealedOnLoopBytesMax + 1, segmentBytes),
  );
  const pieces = fc.array(fc.integer({ min: 1, max: 200_000 }), { maxLength: 12 });
  const index = fc.nat({ max: 131_071 });
  await fc.assert(
    fc.asyncProperty(length, pieces, index, async (bytes, sizes, segment) => {
      for (const open of [openSegment, sealOnLoop])
        await assertSealed(open, randomBytes(bytes), sizes, segment);
    }),
    { seed: 24, numRuns: 30 },
  );
});

test('a thread begins while the segment arrives, and is woken for what is worth it', async (t) => {
  const { openSegment, ready, requests, memory } = sealThreadsScene(t);
  await ready(1);
  const segment = openSegment(newKeys(), 1);
  // The place that is taken first.
  const place = new SharedSegment(memory.shared, 0 as SegmentPlace);
  const kinds = (): readonly string[] => requests.map(({ kind }) => kind);
  segment.write(randomBytes(sealedOnLoopBytesMax));
  assert.deepEqual(kinds(), []);
  segment.write(randomBytes(1));
  assert.deepEqual(kinds(), ['begin']);
  const sealed = (bytes: number): Promise<void> => until(() => place.sealed === bytes, `${bytes} sealed`);
  await sealed(sealedOnLoopBytesMax + 1);
  segment.write(randomBytes(sealMessageBytesMin - 1));
  assert.deepEqual(kinds(), ['begin'], 'it sleeps on');
  segment.write(randomBytes(1));
  assert.deepEqual(kinds(), ['begin', 'more']);
  await sealed(sealedOnLoopBytesMax + 1 + sealMessageBytesMin);
  // It is at it still, as far as is known here, and will see this by itself.
  place.sealed = 0;
  segment.write(randomBytes(sealMessageBytesMin));
  assert.deepEqual(kinds(), ['begin', 'more']);
  segment.abort();
  assert.deepEqual(kinds(), ['begin', 'more', 'forget']);
});

test('what is short is sealed on the event loop, and its place is free at once', async (t) => {
  const { openSegment, ready, requests, memory } = sealThreadsScene(t);
  await ready(1);
  const segment = openSegment(newKeys(), 0);
  segment.write(randomBytes(sealedOnLoopBytesMax));
  await segment.end();
  assert.deepEqual([requests.length, memory.taken], [0, 0]);
});

test('senders that stall hold neither the thread nor those for whom there is no place', async (t) => {
  const { openSegment, ready, memory } = sealThreadsScene(t);
  await ready(1);
  const stalled = Array.from({ length: sharedSegmentsMax }, () => openSegment(newKeys(), 0));
  for (const segment of stalled) segment.write(long);
  assert.equal(memory.taken, sharedSegmentsMax);
  await assertSealed(openSegment, randomBytes(segmentBytes), [300_000]);
  stalled.pop()?.abort();
  await until(() => memory.taken === sharedSegmentsMax - 1, 'the place of the segment that was given up');
  await assertSealed(openSegment, randomBytes(segmentBytes), [300_000]);
  for (const segment of stalled) segment.abort();
  await until(() => memory.taken === 0, 'the places of all segments that were given up');
});

test('a segment that is given up gives its place back once, when the thread has forgotten it', async (t) => {
  const { openSegment, ready, memory, requests } = sealThreadsScene(t);
  await ready(1);
  const [short, begun] = [openSegment(newKeys(), 0), openSegment(newKeys(), 0)];
  short.write(randomBytes(10));
  begun.write(long);
  short.abort();
  begun.abort();
  assert.equal(memory.taken, 1, 'the thread may still write into the place of what was begun');
  short.abort();
  begun.abort();
  await until(() => memory.taken === 0, 'the place');
  assert.deepEqual(
    requests.map(({ kind }) => kind),
    ['begin', 'forget'],
  );
});

test('a thread that ends takes with it what it had; another takes its place', async (t) => {
  const { openSegment, ready, begun, memory, logger } = sealThreadsScene(t);
  await ready(1);
  const [arriving, givenUp, ended] = [1, 2, 3].map(() => openSegment(newKeys(), 0));
  assert.ok(arriving !== undefined && givenUp !== undefined && ended !== undefined);
  for (const segment of [arriving, givenUp, ended]) segment.write(long);
  const waited = begun[0]?.terminate();
  const sealed = assert.rejects(async () => ended.end(), { code: 'STORE_FAILED' });
  givenUp.abort();
  await Promise.all([waited, sealed]);
  await settle();
  // Nothing fails before it is asked for; what comes meanwhile is sealed on the event loop.
  arriving.write(long);
  await assertSealed(openSegment, long, []);
  await assert.rejects(async () => arriving.end(), { code: 'STORE_FAILED' });
  assert.equal(memory.taken, 0);
  assert.match(logger.lines.join('\n'), /is replaced {"objects":3}/);
  await ready(2);
  await assertSealed(openSegment, randomBytes(segmentBytes), [200_000]);
  assert.equal(begun.length, 2);
});

test('what a thread throws ends it, and is in the log', async (t) => {
  const { openSegment, ready, logger, begun } = sealThreadsScene(t);
  await ready(1);
  // Another one comes too, so that the thread gets the key.
  const other = openSegment(newKeys(), 0);
  const segment = openSegment({ seal: new Uint8Array(5), leaves: [] }, 0);
  segment.write(long);
  await assert.rejects(async () => segment.end(), { code: 'STORE_FAILED' });
  assert.match(logger.lines.join('\n'), /is replaced.*"err"/);
  assert.equal(begun.length, 2);
  await ready(2);
  other.abort();
});

test('while nobody else sends, the event loop does all of what may be a whole object', async (t) => {
  const { openSegment, ready, requests, memory } = sealThreadsScene(t);
  await ready(1);
  await assertSealed(openSegment, randomBytes(segmentBytes), [100, 300_000, 70_000]);
  assert.equal(memory.taken, 0);
  const alone = openSegment(newKeys(), 0);
  alone.write(long);
  assert.equal(memory.taken, 1, 'who comes now is not alone');
  assert.equal(requests.length, 0);
  await assertSealed(openSegment, randomBytes(segmentBytes), [300_000]);
  assert.deepEqual(
    requests.map(({ kind }) => kind),
    ['begin', 'end'],
    'it has another to read from',
  );
  alone.write(long);
  alone.abort();
  assert.equal(memory.taken, 0);
  assert.equal(requests.length, 2);
});

test('while nobody else sends, the thread hashes further segments and the event loop encrypts them', async (t) => {
  const { openSegment, ready, requests, memory } = sealThreadsScene(t);
  await ready(1);
  const given = (): readonly boolean[] =>
    requests.flatMap((request) => (request.kind === 'begin' ? ['seal' in request.keys] : []));
  await assertSealed(openSegment, randomBytes(segmentBytes), [100, 300_000, 70_000], 1);
  assert.deepEqual(given(), [false], 'the thread has no key to encrypt with');
  const other = openSegment(newKeys(), 0);
  await assertSealed(openSegment, randomBytes(segmentBytes), [300_000], 1);
  assert.deepEqual(given(), [false, true], 'the event loop has others to read from');
  other.abort();
  const givenUp = openSegment(newKeys(), 1);
  givenUp.write(long);
  givenUp.abort();
  await until(() => memory.taken === 0, 'the place of what was given up');
});

test('what the event loop encrypts fails with its thread, and its place is given back', async (t) => {
  const { openSegment, ready, memory, begun } = sealThreadsScene(t);
  await ready(1);
  const segment = openSegment(newKeys(), 1);
  segment.write(long);
  const ended = segment.end();
  await begun[0]?.terminate();
  await assert.rejects(async () => ended, { code: 'STORE_FAILED' });
  assert.equal(memory.taken, 0);
});

/** It never begins. */
class StillbornThread extends EventEmitter implements SealThread {
  ref(): void {
    assert.fail('nobody waits for it');
  }

  unref(): void {
    setImmediate(() => {
      this.emit('error', new Error('no thread to be had'));
      this.emit('exit');
    });
  }

  postMessage(): void {
    assert.fail('it gets no work');
  }

  terminate(): Promise<void> {
    return Promise.resolve();
  }
}

test('without threads everything is sealed on the event loop, and one is tried now and then', async (t) => {
  const { openSegment, begun, logger, clock } = sealThreadsScene(t, () => new StillbornThread());
  await assertSealed(openSegment, randomBytes(segmentBytes), [300_000]);
  await until(() => logger.lines.length > 0, 'a line in the log');
  await settle();
  await assertSealed(openSegment, randomBytes(segmentBytes), [300_000]);
  assert.equal(begun.length, 1);
  clock.advance(sealThreadRetryMs - 1);
  assert.equal(begun.length, 1);
  for (let tries = 2; tries < 5; tries++) {
    clock.advance(sealThreadRetryMs);
    assert.equal(begun.length, tries);
    await settle();
  }
  assert.equal(logger.lines.length, 1, 'it is said once');
  assert.match(logger.lines.join('\n'), /cannot be started.*"err"/);
});

test('when the machine has threads to give again, all that were missing are begun, and it is said', async (t) => {
  let short = true;
  const { openSegment, ready, begun, requests, logger, clock } = sealThreadsScene(
    t,
    (shared) => {
      if (!short) return openSealWorker(shared);
      throw Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
    },
    2,
  );
  assert.equal(begun.length, 0);
  short = false;
  clock.advance(sealThreadRetryMs);
  await ready(2);
  assert.equal(begun.length, 2);
  assert.match(logger.lines.at(-1) ?? '', /info all threads that seal objects are there {"threads":2}/);
  await assertSealed(openSegment, randomBytes(segmentBytes), [300_000], 1);
  assert.ok(requests.length > 0, 'a thread has sealed it');
  clock.advance(10 * sealThreadRetryMs);
  assert.equal(begun.length, 2, 'no more than there are to be');
});

test('a machine that refuses a thread stops neither the start nor a box that replaces one', async (t) => {
  let threads = 1;
  const { openSegment, ready, begun, logger } = sealThreadsScene(
    t,
    (shared) => {
      if (threads-- > 0) return openSealWorker(shared);
      throw Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
    },
    2,
  );
  await ready(1);
  assert.match(logger.lines.join('\n'), /cannot be started.*"err"/, 'the second, at the start');
  const segment = openSegment(newKeys(), 1);
  segment.write(long);
  await begun[0]?.terminate();
  await assert.rejects(async () => segment.end(), { code: 'STORE_FAILED' });
  await assertSealed(openSegment, randomBytes(segmentBytes), [300_000]);
  assert.equal(begun.length, 1);
});

for (const [what, length] of [
  ['in the log', segmentBytes],
  ['in a file', 3 * segmentBytes + 70_000],
] as const) {
  test(`a disk that fails under an object ${what} gives its places back, and so do abort and discard`, async (t) => {
    const { openSegment, ready, memory } = sealThreadsScene(t);
    await ready(1);
    const folder = await mkdtemp(join(tmpdir(), 'hilum-sealing-'));
    let failing = false;
    const files = watchedDisk(() => {
      if (failing) throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });
    });
    const store = new StudyStore({ folder, boxKey: randomBytes(32), files, openSegment });
    t.after(async () => {
      await store.close();
      await rm(folder, { recursive: true });
    });
    const study = await store.createStudy();
    const begin = async (bytes: number): Promise<ObjectWriter> => {
      const writer = study.createObject([randomBytes(32)]);
      try {
        for (let at = 0; at < bytes; at += 200_000)
          await writer.write(randomBytes(Math.min(200_000, bytes - at)));
      } catch (error) {
        await writer.abort();
        throw error;
      }
      return writer;
    };
    const keep = async (): Promise<void> => {
      const sealed = await (await begin(length)).finish();
      await sealed.append(({ ref }) => ref);
    };
    await keep();
    assert.equal(memory.taken, 0, 'kept');
    failing = true;
    await assert.rejects(keep(), { code: 'STORE_FAILED' });
    await until(() => memory.taken === 0, 'the places of an object that failed');
    failing = false;
    await (await (await begin(length)).finish()).discard();
    assert.equal(memory.taken, 0, 'discarded');
    await (await begin(length)).abort();
    await until(() => memory.taken === 0, 'the places of an object that was aborted');
    await keep();
  });
}

test('segments are shared out among the threads', async (t) => {
  const { openSegment, ready, begun } = sealThreadsScene(t, undefined, 2);
  await ready(2);
  const told = begun.map((thread) => {
    const kinds: string[] = [];
    const post = thread.postMessage.bind(thread);
    thread.postMessage = (request) => {
      kinds.push(request.kind);
      post(request);
    };
    return kinds;
  });
  const segments = [1, 2, 3, 4].map(() => openSegment(newKeys(), 0));
  for (const segment of segments) segment.write(long);
  assert.deepEqual(told, [
    ['begin', 'begin'],
    ['begin', 'begin'],
  ]);
  for (const segment of segments) (await segment.end()).release();
});

test('a place is taken by one at a time, the warm one first', () => {
  const memory = new SegmentMemory();
  const places = Array.from({ length: sharedSegmentsMax }, () => memory.take());
  assert.equal(new Set(places).size, sharedSegmentsMax);
  assert.ok(!places.includes(undefined));
  assert.equal(memory.take(), undefined);
  const [, second] = places;
  assert.ok(second !== undefined);
  memory.giveBack(second);
  assert.throws(() => {
    memory.giveBack(second);
  }, /given back once/);
  assert.equal(memory.take(), second);
});
