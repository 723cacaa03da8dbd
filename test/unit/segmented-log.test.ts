import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import { FileLogFolder } from '../../firmware/src/store/file-log-folder.ts';
import { SegmentedLog } from '../../firmware/src/store/segmented-log.ts';

/** Small pieces: some three records each. */
const bytesMax = 400;
const options = { domain: 'test', damageCode: 'STORE_CORRUPT', allocationBytes: 4096 } as const;

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-segments-'));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, 'blocks');
}

async function openLog(folder: string): Promise<SegmentedLog> {
  return await SegmentedLog.open(await FileLogFolder.open(folder, options), bytesMax);
}

function record(index: number): Uint8Array {
  return utf8(`record ${index} `.repeat(8));
}

async function fill(log: SegmentedLog, count: number): Promise<void> {
  for (let index = log.length, end = index + count; index < end; index++) await log.append([record(index)]);
}

async function assertHolds(log: SegmentedLog, first: number, length: number): Promise<void> {
  assert.deepEqual([log.first, log.length], [first, length]);
  let index = first;
  for await (const read of log.read()) assert.deepEqual(new Uint8Array(read), record(index++));
  assert.equal(index, length);
}

test('records keep their indexes over pieces, over restarts and when the oldest are dropped', async (t) => {
  const folder = await folderOf(t);
  let log = await openLog(folder);
  await fill(log, 40);
  await assertHolds(log, 0, 40);
  assert.ok((await readdir(folder)).length > 8);
  const bytes = await log.bytes();
  await log.close();
  log = await openLog(folder);
  await assertHolds(log, 0, 40);
  await log.dropBefore(17);
  assert.ok(log.first > 10 && log.first <= 17);
  assert.ok((await log.bytes()) < bytes);
  const { first } = log;
  await assert.rejects(log.at(first - 1), RangeError);
  await assert.rejects(log.at(40), RangeError);
  await log.close();
  log = await openLog(folder);
  await fill(log, 5);
  await assertHolds(log, first, 45);
  // The piece that grows stays, whatever is dropped.
  await log.dropBefore(1000);
  assert.equal(log.length, 45);
  await log.close();
});

test('records that are appended at once lie in one piece', async (t) => {
  const folder = await folderOf(t);
  const log = await openLog(folder);
  await log.append(Array.from({ length: 20 }, (_, index) => record(index)));
  await Promise.all([log.append([record(20)]), log.append([record(21)])]);
  await assertHolds(log, 0, 22);
  assert.equal((await readdir(folder)).length, 2);
  await log.close();
});

test('it can go on at a later index, with nothing before', async (t) => {
  const folder = await folderOf(t);
  let log = await openLog(folder);
  await fill(log, 20);
  await log.at(2);
  await log.restartAt(500);
  await assertHolds(log, 500, 500);
  await fill(log, 10);
  await log.close();
  log = await openLog(folder);
  await assertHolds(log, 500, 510);
  await log.close();
});

test('a piece that lacks its end, or is gone, is noticed; what a crash left of a new one is removed', async (t) => {
  const folder = await folderOf(t);
  let log = await openLog(folder);
  await fill(log, 20);
  await log.close();
  const [, second, third] = (await readdir(folder)).sort();
  await writeFile(join(folder, '000000000099.log.spare'), 'begun');
  log = await openLog(folder);
  assert.ok(!(await readdir(folder)).some((name) => name.endsWith('.spare')));
  await log.close();
  await rm(join(folder, second ?? ''));
  log = await openLog(folder);
  await assert.rejects(log.at(Number.parseInt(third ?? '', 10) - 1), { code: 'STORE_CORRUPT' });
  await log.close();
});

test('records are read while pieces are begun, closed, dropped and replaced', async (t) => {
  const folder = await folderOf(t);
  const log = await openLog(folder);
  await fill(log, 60);
  // Of so many pieces that each read lets another one be closed, twice over.
  const everywhere = Array.from({ length: 120 }, (_, at) => (at * 7) % 60);
  const reads = everywhere.map((index) => log.at(index));
  const growing = fill(log, 20);
  for (const [at, read] of reads.entries())
    assert.deepEqual(new Uint8Array(await read), record(everywhere[at] ?? 0));
  await growing;
  const oldest = Array.from({ length: 30 }, (_, index) => log.at(log.first + index));
  const dropping = log.dropBefore(30);
  for (const [index, read] of oldest.entries()) assert.deepEqual(new Uint8Array(await read), record(index));
  await dropping;
  const { first, length } = log;
  const rest = Array.from({ length: length - first }, (_, index) => log.at(first + index));
  const restarting = log.restartAt(500);
  for (const [index, read] of rest.entries())
    assert.deepEqual(new Uint8Array(await read), record(first + index));
  await assert.rejects(log.at(first), RangeError);
  await restarting;
  await log.append([record(500)]);
  await assertHolds(log, 500, 501);
  assert.deepEqual(await readdir(folder), ['000000000500.log']);
  await log.close();
});

test('what asks for the bytes waits for pieces that are being removed', async (t) => {
  const log = await openLog(await folderOf(t));
  await fill(log, 40);
  const [, bytes] = await Promise.all([log.dropBefore(39), log.bytes()]);
  assert.equal(bytes, await log.bytes());
  await log.close();
});
