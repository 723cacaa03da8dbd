/** Writing through to the disk: what `writeThrough` puts there is there, and what a study's log puts there by it is found. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { nodeFileSystem, type FileSystem } from '../../firmware/src/store/file-system.ts';
import { StudyStore } from '../../firmware/src/store/study-store.ts';
import { allDropped, PowerCutDisk } from '../fakes/power-cut-disk.ts';
import { randomFrom } from '../sim/random.ts';
import { freshDisk } from '../support/power-cut-story.ts';

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-through-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Flags of this process's descriptors of a file (proc_pid_fdinfo(5)). */
async function flagsOf(path: string): Promise<number[]> {
  const flags: number[] = [];
  for (const fd of await readdir('/proc/self/fd')) {
    // The descriptor of the listing itself is gone by now.
    const [target] = await Promise.allSettled([readlink(`/proc/self/fd/${fd}`)]);
    if (target.status === 'rejected' || target.value !== path) continue;
    const info = await readFile(`/proc/self/fdinfo/${fd}`, 'utf8');
    flags.push(Number.parseInt(/^flags:\s*(?<octal>\d+)/m.exec(info)?.groups?.['octal'] ?? '', 8));
  }
  return flags;
}

const isThrough = (flags: number): boolean => (flags & constants.O_DSYNC) === constants.O_DSYNC;

test('pieces stand where they were to be, written by a descriptor that waits for the disk', async (t) => {
  const path = join(await makeFolder(t), 'file');
  const file = await nodeFileSystem.open(path, 'wx+');
  await file.write([Buffer.from('0123456789')], 0);
  assert.deepEqual((await flagsOf(path)).map(isThrough), [false]);
  await file.writeThrough([Buffer.from('ab'), Buffer.alloc(0), Buffer.from('cd')], 3);
  assert.deepEqual((await flagsOf(path)).map(isThrough).toSorted(), [false, true]);
  const bytes = new Uint8Array(10);
  await file.read(bytes, 0);
  assert.equal(Buffer.from(bytes).toString(), '012abcd789');
  await file.close();
  assert.deepEqual(await flagsOf(path), []);
  await file.close();
});

test('a file that got another name is written to, and not one that has its name now', async (t) => {
  const folder = await makeFolder(t);
  const [path, moved] = [join(folder, 'file'), join(folder, 'moved')];
  const file = await nodeFileSystem.open(path, 'wx+');
  await rename(path, moved);
  const other = await nodeFileSystem.open(path, 'wx+');
  await file.writeThrough([Buffer.from('here')], 0);
  await file.close();
  await other.close();
  assert.deepEqual([await readFile(moved, 'utf8'), await readFile(path, 'utf8')], ['here', '']);
});

test('what is appended to a log that rested is found after a power cut: its mark is flushed with it', async () => {
  const disk = new PowerCutDisk(await freshDisk(), randomFrom(1));
  const boxKey = randomBytes(32);
  const store = new StudyStore({ folder: '/data', boxKey, files: disk });
  const study = await store.createStudy();
  await study.append('first');
  await study.rest();
  await study.append('second');
  await study.append('third');
  const cut = new PowerCutDisk(disk.cutAfter(disk.events, allDropped, randomFrom(1)), randomFrom(1));
  const records: unknown[] = [];
  for await (const found of new StudyStore({ folder: '/data', boxKey, files: cut }).open())
    records.push(...found.records);
  assert.deepEqual(records, ['first', 'second', 'third']);
});

test('zeros that were written ahead are flushed once, and frames then alone', async (t) => {
  const folder = await makeFolder(t);
  const flushes: string[] = [];
  const files: FileSystem = {
    ...nodeFileSystem,
    open: async (path, flags) => {
      const file = await nodeFileSystem.open(path, flags);
      const [datasync, writeThrough] = [file.datasync.bind(file), file.writeThrough.bind(file)];
      file.datasync = () => (flushes.push('all'), datasync());
      file.writeThrough = (pieces, offset) => (flushes.push('frame'), writeThrough(pieces, offset));
      return file;
    },
  };
  const store = new StudyStore({ folder, boxKey: randomBytes(32), files });
  const study = await store.createStudy();
  await study.append('makes its log take space');
  flushes.length = 0;
  for (let appended = 0; appended < 1_000 && !flushes.includes('all'); appended++) {
    await delay(1);
    await study.append('in space that may be there by now');
  }
  await study.append('in space that is on the disk');
  await store.close();
  assert.equal(flushes.at(-1), 'frame');
  assert.equal(flushes.filter((flush) => flush === 'all').length, 1);
});

test('a flush of one write leaves others where a power cut may lose them', async () => {
  const disk = new PowerCutDisk(await freshDisk(), randomFrom(1));
  const file = await disk.open('/data/file', 'wx+');
  await disk.syncFolder('/data');
  await file.write([Buffer.from('lost')], 0);
  await file.writeThrough([Buffer.from('kept')], 4);
  const cut = new PowerCutDisk(disk.cutAfter(disk.events, allDropped, randomFrom(1)), randomFrom(1));
  const bytes = new Uint8Array(8);
  await (await cut.open('/data/file', 'r')).read(bytes, 0);
  assert.equal(Buffer.from(bytes).toString(), '\0\0\0\0kept');
});
