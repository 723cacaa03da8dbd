/** Room for objects in flight: what was begun can be ended, what cannot is refused at once, and never on a guess. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../firmware/src/errors.ts';
import type { Space } from '../../firmware/src/ingest/disk-marks.ts';
import { DiskRoom, type LookedAt } from '../../firmware/src/ingest/disk-room.ts';
import { objectRoomBytes, objectRoomStepBytes } from '../../firmware/src/ingest/limits.ts';
import { openWithRoom } from '../../firmware/src/ingest/roomy-sink.ts';
import type { StoreSink } from '../../firmware/src/ports.ts';

const refuseFreeBytes = 1_000_000_000;
const ownFreeBytes = refuseFreeBytes / 4;

/** A disk that a test fills; bytes that the box writes must be taken from `free` by the test. */
class ManualDisk implements LookedAt {
  free: number;
  looks = 0;
  #begin: (() => (space: Space) => void) | undefined;

  constructor(free: number) {
    this.free = free;
  }

  async look(): Promise<void> {
    this.looks += 1;
    const seen = this.#begin?.();
    await Promise.resolve();
    seen?.({ size: 1e12, free: this.free });
  }

  onLook(begin: () => (space: Space) => void): () => void {
    this.#begin = begin;
    return () => (this.#begin = undefined);
  }
}

async function make(free: number) {
  const disk = new ManualDisk(free);
  const room = new DiskRoom(disk, { refuseFreeBytes });
  await disk.look();
  disk.looks = 0;
  return { disk, room };
}

const isLow = (error: unknown): boolean => error instanceof AppError && error.code === 'DISK_LOW';

test('objects are begun as long as each can be given its room above the mark', async () => {
  const { room } = await make(refuseFreeBytes + 2 * objectRoomBytes);
  const first = await room.begin();
  await room.begin();
  await assert.rejects(room.begin(), isLow);
  first.end();
  await room.begin();
});

test('below the mark nobody is admitted; a look that finds room admits at once', async () => {
  const { disk, room } = await make(refuseFreeBytes - 1);
  assert.equal(await room.admits(), false);
  await assert.rejects(room.begin(), isLow);
  disk.free = refuseFreeBytes + objectRoomBytes;
  assert.equal(await room.admits(), true);
  await room.begin();
});

test('room that is kept for objects in flight is not promised to new associations', async () => {
  const { room } = await make(refuseFreeBytes + objectRoomBytes);
  const object = await room.begin();
  assert.equal(await room.admits(), true);
  await object.take(1);
  const { room: full } = await make(refuseFreeBytes + objectRoomBytes - 1);
  await assert.rejects(full.begin(), isLow);
});

test('an object that was begun goes on below the mark, down to the room of the box itself', async () => {
  const { disk, room } = await make(refuseFreeBytes + objectRoomBytes);
  const object = await room.begin();
  let taken = 0;
  await assert.rejects(async () => {
    for (; ; taken += 1_000_000) {
      await object.take(1_000_000);
      disk.free -= 1_000_000;
    }
  }, isLow);
  const usable = refuseFreeBytes + objectRoomBytes - ownFreeBytes;
  assert.ok(taken <= usable, 'the room of the box is not touched');
  assert.ok(taken > usable - objectRoomStepBytes - 1_000_000, 'all else is used');
});

test('what has arrived since the last look counts as written; what was seen is not counted twice', async () => {
  const { disk, room } = await make(refuseFreeBytes + 3 * objectRoomBytes);
  const object = await room.begin();
  await object.take(objectRoomBytes);
  object.end();
  disk.free -= objectRoomBytes;
  assert.equal(disk.looks, 0);
  // Before any look: two more objects fit, and a third does not.
  const others = [await room.begin(), await room.begin()];
  await assert.rejects(room.begin(), isLow);
  assert.equal(disk.looks, 1, 'the disk was looked at before anybody was refused');
  for (const other of others) other.end();
  // After it the figure is the same.
  await Promise.all([room.begin(), room.begin()]);
  await assert.rejects(room.begin(), isLow);
});

test('bytes that arrive while the disk is looked at are not taken for seen', async () => {
  const { disk, room } = await make(refuseFreeBytes + 2 * objectRoomBytes);
  const object = await room.begin();
  const look = disk.look();
  await object.take(objectRoomBytes);
  object.end();
  await look;
  disk.free -= objectRoomBytes;
  const next = await room.begin();
  await assert.rejects(room.begin(), isLow);
  next.end();
});

test('repeated objects that took no room refuse nobody', async () => {
  const { room } = await make(refuseFreeBytes + objectRoomBytes);
  for (let times = 0; times < 10; times++) {
    const object = await room.begin();
    await object.take(objectRoomBytes);
    object.end();
  }
});

test('a disk that never told is judged by its writes', async () => {
  const room = new DiskRoom(new ManualDisk(0), { refuseFreeBytes });
  assert.equal(await room.admits(), true);
});

/** A sink that remembers what was asked of it. */
function recordingSink(failing?: AppError) {
  const calls: string[] = [];
  const sink: StoreSink = {
    write: (chunk) => void calls.push(`write ${chunk.length}`),
    finish: () => {
      calls.push('finish');
      return failing === undefined ? Promise.resolve({ status: 0 }) : Promise.reject(failing);
    },
    abort: () => {
      calls.push('abort');
      return Promise.resolve();
    },
  };
  return { sink, calls };
}

test('a sink without room is never opened', async () => {
  const { room } = await make(refuseFreeBytes);
  let opened = 0;
  const open = () => {
    opened += 1;
    return recordingSink().sink;
  };
  await assert.rejects(openWithRoom(room, open), isLow);
  assert.equal(opened, 0);
});

test('a sink gives its room back when it ends, however it ends', async () => {
  const { disk, room } = await make(refuseFreeBytes + objectRoomBytes);
  const ends: ((sink: StoreSink) => Promise<unknown>)[] = [
    (sink) => sink.finish(),
    (sink) => sink.abort(new Error('the association ended')),
  ];
  for (const end of ends) {
    const sink = await openWithRoom(room, () => recordingSink().sink);
    await sink.write(new Uint8Array(100));
    await assert.rejects(room.begin(), isLow);
    await end(sink);
    await disk.look();
  }
  await assert.rejects(
    openWithRoom(room, () => Promise.reject(new AppError('OBJECT_MISMATCH', 'no'))),
    /no/,
  );
  (await room.begin()).end();
});

test('a write that the disk has no room for reaches nobody, and the sink can be aborted', async () => {
  const { disk, room } = await make(refuseFreeBytes + objectRoomBytes);
  const { sink: inner, calls } = recordingSink();
  const sink = await openWithRoom(room, () => inner);
  disk.free = ownFreeBytes;
  await disk.look();
  await sink.write(new Uint8Array(objectRoomBytes));
  await assert.rejects(async () => sink.write(new Uint8Array(1)), isLow);
  await sink.abort(new Error('no room'));
  assert.deepEqual(calls, [`write ${objectRoomBytes}`, 'abort']);
  disk.free = refuseFreeBytes + objectRoomBytes;
  (await room.begin()).end();
});

test('a write waits for the look that finds more room', async () => {
  const { disk, room } = await make(refuseFreeBytes + objectRoomBytes);
  const { sink: inner, calls } = recordingSink();
  const sink = await openWithRoom(room, () => inner);
  disk.free = ownFreeBytes;
  await disk.look();
  await sink.write(new Uint8Array(objectRoomBytes));
  disk.free = 2 * refuseFreeBytes;
  await sink.write(new Uint8Array(7));
  assert.deepEqual(calls, [`write ${objectRoomBytes}`, 'write 7']);
});

test('after a failed write the disk is looked at', async () => {
  const { disk, room } = await make(2 * refuseFreeBytes);
  const failing = new AppError('STORE_FAILED', 'no space left on the device');
  const sink = await openWithRoom(room, () => recordingSink(failing).sink);
  await assert.rejects(sink.finish(), failing);
  assert.equal(disk.looks, 1);
});
