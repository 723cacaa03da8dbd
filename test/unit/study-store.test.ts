/** Studies at rest: what was acknowledged stays, damage is noticed and nothing of it is thrown away. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { SealedObject, StoredObject, StudyFolder } from '../../firmware/src/ports.ts';
import { nodeFileSystem, type FileSystem } from '../../firmware/src/store/file-system.ts';
import { studiesOpenedAtOnceMax } from '../../firmware/src/store/limits.ts';
import { StudyStore } from '../../firmware/src/store/study-store.ts';
import { readStored } from '../support/stored-object.ts';
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
  return new StudyStore({ folder, boxKey: key, files });
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
  const writer = study.createObject([]);
  let sealed: SealedObject;
  try {
    await writer.write(bytes);
    sealed = await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  let object: StoredObject | undefined;
  await sealed.append((stored) => {
    object = stored;
    return { ref: stored.ref, length: stored.length, lastTag: stored.lastTag };
  });
  assert.ok(object !== undefined);
  return object;
}

/** A closed store with a study of a small object and a large one. */
async function makeStudy(folder: string): Promise<{ readonly path: string; readonly large: StoredObject }> {
  const store = storeIn(folder);
  const study = await store.createStudy();
  await study.append({ is: 'study' });
  await keep(study, Buffer.from('Canary^Winifred'));
  const large = await keep(study, Buffer.alloc(1_048_600, 'Canary^Winifred'));
  await store.close();
  return { path: join(folder, study.ref), large };
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
    assert.match(name, /^(study\.key|study\.log|[0-9a-f]{32})$/);
    assert.ok(!(await readFile(join(path, name))).includes('Canary'));
  }
});

test('what a crash left half-written is removed; what belongs to no study is left alone', async (t) => {
  const folder = await makeFolder(t);
  const { path, large } = await makeStudy(folder);
  await writeFile(join(path, `${'a'.repeat(32)}.part`), 'half an object');
  await writeFile(join(path, 'b'.repeat(32)), 'an object of which no record tells');
  const born = await readFile(join(path, 'study.log'));
  for (const [ref, files] of Object.entries({
    b: {},
    c: { 'study.log': '' },
    d: { 'study.log': born.subarray(0, 30) },
    e: {
      'study.log': Buffer.concat([born.subarray(0, 64), Buffer.alloc(5000)]),
      'study.key.part': 'half a key',
    },
  })) {
    await mkdir(join(folder, ref.repeat(32)));
    for (const [name, bytes] of Object.entries(files))
      await writeFile(join(folder, ref.repeat(32), name), bytes);
  }
  await mkdir(join(folder, 'lost+found'));
  assert.equal((await studiesIn(folder)).length, 1);
  assert.deepEqual((await readdir(path)).sort(), [large.ref, 'study.key', 'study.log'].sort());
  assert.deepEqual((await readdir(folder)).sort(), [path.slice(folder.length + 1), 'lost+found'].sort());
});

test('a study that was made and got no record is removed at the next start', async (t) => {
  const folder = await makeFolder(t);
  const store = storeIn(folder);
  await store.createStudy();
  await store.close();
  assert.deepEqual(await studiesIn(folder), []);
  assert.deepEqual(await readdir(folder), []);
});

for (const name of ['study.key', 'study.log']) {
  test(`a study whose ${name} is gone is damage, not a study that was never kept: nothing is removed`, async (t) => {
    const folder = await makeFolder(t);
    const { path } = await makeStudy(folder);
    await rm(join(path, name));
    const before = await readdir(path);
    for (const each of ['once', 'and again']) await assert.rejects(studiesIn(folder), corrupt, each);
    assert.deepEqual(await readdir(path), before);
  });
}

test('a log that is empty while objects are there is damage', async (t) => {
  const folder = await makeFolder(t);
  const { path } = await makeStudy(folder);
  const log = await readFile(join(path, 'study.log'));
  for (const bytes of [log.subarray(0, 64), log.subarray(0, 0), Buffer.alloc(log.length)]) {
    await writeFile(join(path, 'study.log'), bytes);
    await assert.rejects(studiesIn(folder), corrupt);
    await assert.rejects(studiesIn(folder), corrupt);
  }
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

test('an exchanged log is damage', async (t) => {
  const folder = await makeFolder(t);
  const [one, two] = [await makeStudy(folder), await makeStudy(folder)];
  await copyFile(join(two.path, 'study.log'), join(one.path, 'study.log'));
  await assert.rejects(studiesIn(folder), corrupt);
});

test('while flushes fail nothing is acknowledged in that study, and everything in others; then it goes on', async (t) => {
  const folder = await makeFolder(t);
  let failing = '';
  const store = storeIn(
    folder,
    boxKey,
    watchedDisk(({ call, path }) => {
      if (call !== 'write' && failing !== '' && path.includes(failing)) throw new Error('EIO');
    }),
  );
  const [study, other] = [await store.createStudy(), await store.createStudy()];
  await study.append(1);
  failing = study.ref;
  for (let i = 0; i < 3; i++) {
    await assert.rejects(study.append('lost'), failed);
    await assert.rejects(keep(study, randomBytes(10)), failed);
    await other.append(1);
  }
  failing = '';
  const object = await keep(study, Buffer.from('kept'));
  await study.append(2);
  await store.close();
  const again = storeIn(folder);
  for await (const found of again.open()) {
    if (found.folder.ref !== study.ref) continue;
    assert.deepEqual([found.records[0], found.records[2], found.records.length], [1, 2, 3]);
    assert.equal((await readStored(found.folder, object)).toString(), 'kept');
  }
  await again.close();
});

test('a study on a full disk goes on by itself when there is room, and nothing of what failed is listed', async (t) => {
  const folder = await makeFolder(t);
  let full = false;
  const disk = watchedDisk(({ call }) => {
    if (full && call === 'write') throw Object.assign(new Error('full'), { code: 'ENOSPC' });
  });
  const store = storeIn(folder, boxKey, disk);
  const study = await store.createStudy();
  await study.append('before');
  full = true;
  for (let i = 0; i < 3; i++) {
    const results = await Promise.allSettled([study.append('full'), keep(study, randomBytes(5000))]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
  }
  full = false;
  const object = await keep(study, Buffer.from('kept'));
  await study.append('after');
  assert.equal((await readStored(study, object)).toString(), 'kept');
  await store.close();
  const again = storeIn(folder);
  for await (const found of again.open()) {
    assert.equal(found.records.length, 3);
    assert.deepEqual([found.records[0], found.records[2]], ['before', 'after']);
    assert.equal((await readStored(found.folder, object)).toString(), 'kept');
  }
  await again.close();
});

test('large objects whose records the disk did not take are discarded once their records are cut off, not before', async (t) => {
  const folder = await makeFolder(t);
  let fault = '';
  const disk = watchedDisk(({ call, path }) => {
    if (!path.endsWith('study.log')) return;
    if (fault === 'ENOSPC' && call === 'write') throw Object.assign(new Error('full'), { code: fault });
    if (fault === 'EROFS') throw Object.assign(new Error('read-only'), { code: fault });
  });
  const store = storeIn(folder, boxKey, disk);
  const study = await store.createStudy();
  const objects = async (): Promise<number> =>
    (await readdir(join(folder, study.ref))).filter((name) => !name.startsWith('study.')).length;
  await study.append('before');
  const large = randomBytes(1_100_000);
  const ended = async (): Promise<void> => {
    const results = await Promise.allSettled([keep(study, large), keep(study, large), study.append('no')]);
    assert.ok(results.every(({ status }) => status === 'rejected'));
  };
  fault = 'ENOSPC';
  for (let i = 0; i < 3; i++) {
    await ended();
    assert.equal(await objects(), 0, 'a log on a full disk is cut back at once');
  }
  fault = 'EROFS';
  await ended();
  assert.ok((await objects()) > 0, 'a record that cannot be cut off may be found at the next start');
  fault = '';
  const kept = await keep(study, large);
  assert.equal(await objects(), 1);
  assert.ok((await readStored(study, kept)).equals(large));
  await store.close();
  assert.equal((await studiesIn(folder)).length, 1);
  assert.equal(await objects(), 1);
});

test('records and objects that come while others are flushed share the next flush', async (t) => {
  const folder = await makeFolder(t);
  const flushes: string[] = [];
  const store = storeIn(
    folder,
    boxKey,
    watchedDisk(({ call, path }) => {
      if (call === 'datasync') flushes.push(path);
    }),
  );
  const study = await store.createStudy();
  await study.append('first');
  flushes.length = 0;
  await Promise.all(Array.from({ length: 20 }, () => keep(study, randomBytes(3000))));
  assert.ok(flushes.length <= 3, `${flushes.length} flushes for 20 objects`);
  await store.close();
});

test('what is acknowledged was flushed: file, then folder, then the record in the manifest', async (t) => {
  const folder = await makeFolder(t);
  const calls: string[] = [];
  const store = storeIn(
    folder,
    boxKey,
    watchedDisk(({ call, path }) => {
      calls.push(`${call} ${basename(path).replace(/^[0-9a-f]{32}/, 'object')}`);
    }),
  );
  const study = await store.createStudy();
  await study.append({ is: 'study' });
  calls.length = 0;
  await keep(study, randomBytes(200_000));
  assert.deepEqual(calls, ['write study.log', 'datasync study.log'], 'an object of one segment');
  calls.length = 0;
  await keep(study, randomBytes(1_048_576 + 50));
  await store.close();
  // However many calls a write takes; the last are the mark and the space that is given back.
  const order = calls.filter((call, index) => call !== calls[index - 1]);
  assert.deepEqual(order, [
    'write object.part',
    'sync object.part',
    'syncFolder object',
    'write study.log',
    'datasync study.log',
    'write study.log',
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
    const made = calls();
    await store.close();
    if (outcome === 'all done') {
      assert.ok(made <= failAt, `fault ${failAt} was passed over in silence`);
      break;
    }
    failures++;
    assert.equal((outcome as { code?: string }).code, 'STORE_FAILED', `fault ${failAt}`);
    assert.equal(await openFiles(), filesBefore, `fault ${failAt} leaves a file open`);
    const [study] = await studiesIn(folder);
    for (const { ref, object, body } of acknowledged) {
      assert.equal(study?.ref, ref);
      assert.ok((await readStored(study, object)).equals(body));
    }
    const files = await readdir(folder, { recursive: true });
    assert.ok(
      !files.some((name) => name.endsWith('.part')),
      `fault ${failAt} leaves half a file after a start`,
    );
  }
  assert.ok(failures >= 16, `only ${failures} places were tried`);
});

test('at start, studies are opened side by side and no more than so many', async (t) => {
  const folder = await makeFolder(t);
  const store = storeIn(folder);
  const refs: string[] = [];
  for (let i = 0; i < 3 * studiesOpenedAtOnceMax; i++) {
    const study = await store.createStudy();
    await study.append({ is: 'study' });
    refs.push(study.ref);
  }
  await store.close();
  let open = 0;
  let most = 0;
  const counting: FileSystem = {
    ...nodeFileSystem,
    open: async (path, flags) => {
      const file = await nodeFileSystem.open(path, flags);
      if (basename(path) !== 'study.log') return file;
      most = Math.max(most, ++open);
      const close = file.close.bind(file);
      return Object.assign(file, { close: () => close().finally(() => open--) });
    },
  };
  const again = storeIn(folder, boxKey, counting);
  const found: string[] = [];
  for await (const { folder: study } of again.open()) found.push(study.ref);
  await again.close();
  assert.deepEqual(found.sort(), refs.sort());
  assert.ok(most > 1 && most <= studiesOpenedAtOnceMax, `${most} at once`);
  assert.equal(open, 0);
});
