/** Studies at rest: what was acknowledged stays, damage is noticed and nothing of it is thrown away. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { AppendLog, StoredObject, StudyFolder } from '../../firmware/src/ports.ts';
import { FileAppendLog } from '../../firmware/src/store/append-log.ts';
import { nodeFileSystem, type FileSystem } from '../../firmware/src/store/file-system.ts';
import { StudyStore } from '../../firmware/src/store/study-store.ts';
import { MemoryAppendLog } from '../fakes/append-log.ts';
import { failingAt, watchedDisk } from '../support/watched-disk.ts';

const boxKey = randomBytes(32);
const corrupt = { code: 'STORE_CORRUPT' };
const failed = { code: 'STORE_FAILED' };

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-studies-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function storeIn(folder: string, key: Uint8Array = boxKey, files: FileSystem = nodeFileSystem): StudyStore {
  const openLog = (path: string): Promise<AppendLog> =>
    FileAppendLog.open(path, {
      domain: 'test',
      damageCode: 'STORE_CORRUPT',
      allocationBytes: 4096,
      files,
    });
  return new StudyStore({ folder, boxKey: key, openLog, files });
}

async function studiesIn(folder: string, key: Uint8Array = boxKey): Promise<StudyFolder[]> {
  const store = storeIn(folder, key);
  const studies: StudyFolder[] = [];
  try {
    for await (const { folder: study } of store.open()) studies.push(study);
    return studies;
  } finally {
    await store.close();
  }
}

async function keep(study: StudyFolder, bytes: Uint8Array): Promise<StoredObject> {
  const writer = await study.createObject(() => undefined);
  try {
    await writer.write(bytes);
  } catch (error) {
    await writer.abort();
    throw error;
  }
  const object = await writer.finish();
  await study.append({ ref: object.ref, length: object.length, lastTag: object.lastTag });
  return object;
}

async function read(study: StudyFolder, object: StoredObject): Promise<Buffer> {
  const reader = await study.openObject(object);
  try {
    const parts: Uint8Array[] = [];
    for (let index = 0; index < reader.segmentCount; index++) parts.push(await reader.segment(index));
    return Buffer.concat(parts);
  } finally {
    await reader.close();
  }
}

/** A closed store with a study of one object. */
async function makeStudy(folder: string): Promise<{ readonly path: string; readonly object: StoredObject }> {
  const store = storeIn(folder);
  const study = await store.createStudy();
  await study.append({ is: 'study' });
  const object = await keep(study, Buffer.from('Canary^Winifred'));
  await store.close();
  return { path: join(folder, study.ref), object };
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

test('nothing in the folder names the patient, in files or in names', async (t) => {
  const folder = await makeFolder(t);
  const { path } = await makeStudy(folder);
  for (const name of await readdir(path)) {
    assert.match(name, /^(study\.key|manifest\.log|[0-9a-f]{32})$/);
    assert.ok(!(await readFile(join(path, name))).includes('Canary'));
  }
});

test('what a crash left half-written is removed; what belongs to no study is left alone', async (t) => {
  const folder = await makeFolder(t);
  const { path } = await makeStudy(folder);
  await writeFile(join(path, `${'a'.repeat(32)}.part`), 'half an object');
  await mkdir(join(folder, 'b'.repeat(32)));
  await mkdir(join(folder, 'c'.repeat(32)));
  await writeFile(join(folder, 'c'.repeat(32), 'study.key.part'), 'half a key');
  await mkdir(join(folder, 'lost+found'));
  assert.equal((await studiesIn(folder)).length, 1);
  assert.ok(!(await readdir(path)).some((name) => name.endsWith('.part')));
  assert.deepEqual((await readdir(folder)).sort(), [path.slice(folder.length + 1), 'lost+found'].sort());
});

test('a study whose key file is gone is damage, not a study that was never kept: nothing is removed', async (t) => {
  const folder = await makeFolder(t);
  const { path } = await makeStudy(folder);
  await rm(join(path, 'study.key'));
  const before = await readdir(path);
  await assert.rejects(studiesIn(folder), corrupt);
  assert.deepEqual(await readdir(path), before);
});

test('a manifest that is gone or empty while objects are there is damage', async (t) => {
  const folder = await makeFolder(t);
  const { path } = await makeStudy(folder);
  await rm(join(path, 'manifest.log'));
  await assert.rejects(studiesIn(folder), corrupt);
  await assert.rejects(studiesIn(folder), corrupt, 'at every start, though a log was made anew');
});

test('a changed, exchanged or foreign key is damage', async (t) => {
  const folder = await makeFolder(t);
  const [one, two] = [await makeStudy(folder), await makeStudy(folder)];
  const keyPath = join(one.path, 'study.key');
  const intact = await readFile(keyPath);
  for (let at = 0; at < intact.length; at += 7) {
    await flip(keyPath, at);
    await assert.rejects(studiesIn(folder), corrupt);
    await writeFile(keyPath, intact);
  }
  for (const bytes of [new Uint8Array(0), intact.subarray(0, 20), Buffer.concat([intact, Buffer.of(0)])]) {
    await writeFile(keyPath, bytes);
    await assert.rejects(studiesIn(folder), corrupt);
  }
  await copyFile(join(two.path, 'study.key'), keyPath);
  await assert.rejects(studiesIn(folder), corrupt);
  await writeFile(keyPath, intact);
  await assert.rejects(studiesIn(folder, randomBytes(32)), corrupt, 'under the key of another box');
  assert.equal((await studiesIn(folder)).length, 2);
});

test('a changed or exchanged manifest is damage', async (t) => {
  const folder = await makeFolder(t);
  const [one, two] = [await makeStudy(folder), await makeStudy(folder)];
  const manifest = join(one.path, 'manifest.log');
  const intact = await readFile(manifest);
  const written = intact.findLastIndex((byte) => byte !== 0);
  for (let at = 3; at < written; at += 37) {
    await flip(manifest, at);
    await assert.rejects(studiesIn(folder), corrupt, `byte ${at}`);
    await writeFile(manifest, intact);
  }
  await copyFile(join(two.path, 'manifest.log'), manifest);
  await assert.rejects(studiesIn(folder), corrupt);
});

test('records stand at their places only: a log with the same records in another order is damage', async (t) => {
  const folder = await makeFolder(t);
  const { path } = await makeStudy(folder);
  const log = await FileAppendLog.open(join(path, 'manifest.log'), {
    domain: 'test',
    damageCode: 'STORE_CORRUPT',
    allocationBytes: 4096,
  });
  const records: Uint8Array[] = [];
  for await (const record of log.read()) records.push(new Uint8Array(record));
  await log.replace(records.toReversed());
  await log.close();
  await assert.rejects(studiesIn(folder), corrupt);
});

test('an append that failed is the last: every later one of that study fails, those of others do not', async (t) => {
  const folder = await makeFolder(t);
  const logs = new Map<string, MemoryAppendLog>();
  const store = new StudyStore({
    folder,
    boxKey,
    openLog: (path) => {
      const log = new MemoryAppendLog(logs.get(path)?.disk);
      logs.set(path, log);
      return Promise.resolve(log);
    },
  });
  const [study, other] = [await store.createStudy(), await store.createStudy()];
  await study.append(1);
  const log = logs.get(join(folder, study.ref, 'manifest.log'));
  assert.ok(log !== undefined);
  log.failAppends = true;
  await assert.rejects(study.append(2), failed);
  // The disk has room again, and the log would open again: what stands on disk is unknown since.
  for (const each of logs.values()) each.failAppends = false;
  await assert.rejects(study.append(3), failed);
  await assert.rejects(study.append(4), failed);
  assert.equal(log.disk.records.length, 1);
  await other.append(1);
  await store.close();
});

test('what is acknowledged was flushed: file, then folder, then the record in the manifest', async (t) => {
  const folder = await makeFolder(t);
  const calls: string[] = [];
  const store = storeIn(
    folder,
    boxKey,
    watchedDisk(({ call, path }) => {
      calls.push(
        `${call} ${basename(path).replace(/^[0-9a-f]{32}|.spare$/, (part) => (part === '.spare' ? '' : 'object'))}`,
      );
    }),
  );
  const study = await store.createStudy();
  await study.append({ is: 'study' });
  calls.length = 0;
  await keep(study, randomBytes(1_048_576 + 50));
  await store.close();
  // However many calls a write takes.
  const order = calls.filter((call, index) => call !== calls[index - 1]);
  assert.deepEqual(order, [
    'write object.part',
    'sync object.part',
    'syncFolder object',
    'write manifest.log',
    'datasync manifest.log',
  ]);
});

async function openFiles(): Promise<number> {
  return (await readdir('/proc/self/fd')).length;
}

test('a disk that fails at any write or flush: never success, what was acknowledged is there, no file stays open', async (t) => {
  const scratch = await makeFolder(t);
  const bodies = [randomBytes(100), randomBytes(1_048_576 + 50)];
  let failures = 0;
  for (let failAt = 0; ; failAt++) {
    const folder = join(scratch, failAt.toString());
    const { watch, calls } = failingAt(failAt);
    const store = storeIn(folder, boxKey, watchedDisk(watch));
    const acknowledged: { readonly ref: string; readonly object: StoredObject; readonly body: Buffer }[] = [];
    const filesBefore = await openFiles();
    let outcome: unknown = 'all done';
    try {
      const study = await store.createStudy();
      await study.append({ is: 'study' });
      for (const body of bodies) acknowledged.push({ ref: study.ref, object: await keep(study, body), body });
    } catch (error) {
      outcome = error;
    }
    await store.close();
    if (outcome === 'all done') {
      assert.ok(calls() <= failAt, `fault ${failAt} was passed over in silence`);
      break;
    }
    failures++;
    assert.equal((outcome as { code?: string }).code, 'STORE_FAILED', `fault ${failAt}`);
    assert.equal(await openFiles(), filesBefore, `fault ${failAt} leaves a file open`);
    const [study] = await studiesIn(folder);
    for (const { ref, object, body } of acknowledged) {
      assert.equal(study?.ref, ref);
      assert.ok((await read(study, object)).equals(body));
    }
    const files = await readdir(folder, { recursive: true });
    assert.ok(
      !files.some((name) => name.endsWith('.part')),
      `fault ${failAt} leaves half a file after a start`,
    );
  }
  assert.ok(failures >= 16, `only ${failures} places were tried`);
});
