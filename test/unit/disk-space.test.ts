/** The disk fills up: the console says so before reception fails, and no longer once there is room. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';
import { DiskSpace } from '../../firmware/src/box/disk-space.ts';
import { marksOf, type ConfiguredMarks, type Space } from '../../firmware/src/ingest/disk-marks.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const gigabyte = 1e9;

function make(readSpace?: () => Promise<Space>, marks: ConfiguredMarks = {}) {
  const clock = new ManualClock();
  const health = new MemoryHealthBoard();
  const common = { folder: tmpdir(), marks, clock, logger: new RecordingLogger(), health };
  const disk = new DiskSpace(readSpace === undefined ? common : { ...common, readSpace });
  const after = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await setImmediate();
  };
  return {
    disk,
    after,
    lookAgain: () => after(15_000),
    alarms: () => health.list().map(({ code, detail }) => `${code}: ${detail}`),
  };
}

test('a large disk with less than 5 GB free is an alarm until there is room again', async () => {
  let free = 5 * gigabyte;
  const { disk, lookAgain, alarms } = make(() => Promise.resolve({ size: 1000 * gigabyte, free }));
  await disk.start();
  assert.deepEqual(alarms(), []);
  assert.equal(disk.freeBytes, free);
  free -= 1;
  await lookAgain();
  assert.deepEqual(alarms(), ['DISK_LOW: Less than 5 GB are free for studies.']);
  free = 1.5 * gigabyte;
  await lookAgain();
  assert.deepEqual(alarms(), [
    'DISK_LOW: Less than 2 GB are free for studies. Modalities are refused until there is room.',
  ]);
  free = 0;
  await lookAgain();
  assert.deepEqual(alarms(), [
    'DISK_LOW: No space is left for studies. Modalities are refused until there is room.',
  ]);
  free = 6 * gigabyte;
  await lookAgain();
  assert.deepEqual(alarms(), []);
  assert.equal(disk.freeBytes, free);
  await disk.stop();
});

test('a small disk is judged by its size', async () => {
  let free = 0.5 * gigabyte;
  const { disk, lookAgain, alarms } = make(() => Promise.resolve({ size: 10 * gigabyte, free }));
  await disk.start();
  assert.deepEqual(alarms(), []);
  free -= 1;
  await lookAgain();
  assert.deepEqual(alarms(), ['DISK_LOW: Less than 1 GB are free for studies.']);
  await disk.stop();
});

test('a disk that is low is looked at each second, an ample one every 15 seconds', async () => {
  let looks = 0;
  let free = 4 * gigabyte;
  const { disk, after } = make(() => {
    looks += 1;
    return Promise.resolve({ size: 1000 * gigabyte, free });
  });
  await disk.start();
  free = 100 * gigabyte;
  await after(999);
  assert.equal(looks, 1);
  await after(1);
  assert.equal(looks, 2);
  await after(14_999);
  assert.equal(looks, 2);
  await after(1);
  assert.equal(looks, 3);
  await disk.stop();
  await after(100_000);
  assert.equal(looks, 3, 'nothing looks any more');
});

test('those who ask at once share one look, and the next regular one comes a full pause later', async () => {
  let looks = 0;
  const { disk, after } = make(() => {
    looks += 1;
    return Promise.resolve({ size: 1000 * gigabyte, free: 500 * gigabyte });
  });
  await disk.start();
  await after(10_000);
  await Promise.all([disk.look(), disk.look(), disk.look()]);
  assert.equal(looks, 2);
  await after(14_999);
  assert.equal(looks, 2);
  await after(1);
  assert.equal(looks, 3);
  await disk.stop();
});

test('observers learn what was seen, and nothing when the disk does not tell', async () => {
  let read = (): Promise<Space> => Promise.resolve({ size: 100, free: 40 });
  const { disk } = make(() => read());
  const seen: string[] = [];
  const forget = disk.onLook(() => {
    seen.push('begins');
    return ({ free }) => seen.push(`${free} free`);
  });
  await disk.look();
  read = () => Promise.reject(new Error('EIO'));
  await disk.look();
  forget();
  await disk.look();
  assert.deepEqual(seen, ['begins', '40 free', 'begins']);
  await disk.stop();
});

test('a disk that does not tell is an alarm, and asked again', async () => {
  let read = (): Promise<Space> => Promise.reject(new Error('EIO'));
  const { disk, lookAgain, alarms } = make(() => read());
  await disk.start();
  assert.deepEqual(alarms(), ['STORE_FAILED: The free space of the data folder cannot be read.']);
  read = () => Promise.resolve({ size: 100 * gigabyte, free: 50 * gigabyte });
  await lookAgain();
  assert.deepEqual(alarms(), []);
  await disk.stop();
});

test('the operating system is asked', async () => {
  const { disk } = make();
  await disk.start();
  assert.ok(disk.freeBytes > 0);
  await disk.stop();
});

test('marks: what is configured counts, and none lies past the next', () => {
  assert.deepEqual(marksOf({}, 1000 * gigabyte), {
    alarmFreeBytes: 5 * gigabyte,
    refuseFreeBytes: 2 * gigabyte,
    ownFreeBytes: 0.5 * gigabyte,
  });
  assert.deepEqual(marksOf({}, 10 * gigabyte), {
    alarmFreeBytes: 0.5 * gigabyte,
    refuseFreeBytes: 0.2 * gigabyte,
    ownFreeBytes: 0.05 * gigabyte,
  });
  assert.deepEqual(marksOf({ refuseFreeBytes: 8 * gigabyte }, 1000 * gigabyte), {
    alarmFreeBytes: 8 * gigabyte,
    refuseFreeBytes: 8 * gigabyte,
    ownFreeBytes: 2 * gigabyte,
  });
  assert.equal(marksOf({ alarmFreeBytes: 50 * gigabyte }, 100 * gigabyte).alarmFreeBytes, 50 * gigabyte);
});
