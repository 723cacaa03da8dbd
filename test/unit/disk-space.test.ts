/** The disk fills up: the console says so before reception fails, and no longer once there is room. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';
import { DiskSpace, type Space } from '../../firmware/src/box/disk-space.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const gigabyte = 1e9;

function make(readSpace?: () => Promise<Space>) {
  const clock = new ManualClock();
  const health = new MemoryHealthBoard();
  const common = { folder: tmpdir(), clock, logger: new RecordingLogger(), health };
  const disk = new DiskSpace(readSpace === undefined ? common : { ...common, readSpace });
  const lookAgain = async (): Promise<void> => {
    clock.advance(15_000);
    await setImmediate();
  };
  return { disk, lookAgain, alarms: () => health.list().map(({ code, detail }) => `${code}: ${detail}`) };
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
  free = 0;
  await lookAgain();
  assert.deepEqual(alarms(), ['DISK_LOW: No space is left for studies.']);
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
