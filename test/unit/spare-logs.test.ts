/** Logs of studies in space that was prepared: which take it, and what a crash or damage may leave of them. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { CborValue, StoredObject, StudyFolder } from '../../firmware/src/ports.ts';
import { nodeFileSystem, type FileSystem } from '../../firmware/src/store/file-system.ts';
import { SpareLogMaker } from '../../firmware/src/store/spare-log-maker.ts';
import { StudyStore } from '../../firmware/src/store/study-store.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { readStored } from '../support/stored-object.ts';
import { until } from '../support/until.ts';
import { failingAt, watchedDisk } from '../support/watched-disk.ts';

const boxKey = randomBytes(32);
const corrupt = { code: 'STORE_CORRUPT' };
/** Enough that zeros behind a study are more than any flush writes. */
const bytes = 16_777_216;
const slice = randomBytes(300_000);

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-spare-logs-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** An open store in which spares are ready. */
async function storeWith(
  t: TestContext,
  count: number,
  folder: string,
  files: FileSystem = nodeFileSystem,
): Promise<StudyStore> {
  const store = new StudyStore({ folder, boxKey, files });
  for await (const { folder: study } of store.open()) assert.fail(`a new store holds ${study.ref}`);
  const clock = new ManualClock();
  const common = { spares: store.spares, hasRoom: () => Promise.resolve(true), logger: silentLogger };
  const maker = new SpareLogMaker({ ...common, count, bytes, clock });
  await maker.start();
  clock.advance(60_000);
  await until(() => store.spares.count === count, 'spares');
  t.after(async () => {
    await maker.stop();
    await store.close();
  });
  return store;
}

async function keep(study: StudyFolder, body: Uint8Array): Promise<StoredObject> {
  const writer = study.createObject([]);
  await writer.write(body);
  const sealed = await writer.finish();
  let object: StoredObject | undefined;
  await sealed.append((stored) => {
    object = stored;
    return { ref: stored.ref, frame: stored.frame, length: stored.length, lastTag: stored.lastTag };
  });
  assert.ok(object !== undefined);
  return object;
}

/** As a box that is started anew finds it. @throws AppError STORE_CORRUPT. */
async function found(folder: string): Promise<{ study: StudyFolder; records: readonly CborValue[] }[]> {
  const store = new StudyStore({ folder, boxKey });
  const all: { study: StudyFolder; records: readonly CborValue[] }[] = [];
  try {
    for await (const { folder: study, records } of store.open()) all.push({ study, records });
  } finally {
    await store.close();
  }
  return all;
}

test('the first slice of a study moves its log into a spare; records, small and large objects do not', async (t) => {
  const folder = await makeFolder(t);
  const store = await storeWith(t, 2, folder);
  const [study, other] = [await store.createStudy(), await store.createStudy()];
  const log = join(folder, study.ref, 'study.log');
  await study.append('before');
  const small = await keep(study, randomBytes(2000));
  const open = await study.openObject(small);
  const whole = await open.segment(0);
  await keep(other, randomBytes(20_000));
  await keep(other, randomBytes(1_500_000));
  await other.append('a long record '.repeat(10_000));
  assert.equal(store.spares.count, 2);

  const objects: StoredObject[] = [];
  for (let i = 0; i < 5; i++) objects.push(await keep(study, slice));
  assert.equal(store.spares.count, 1);
  assert.equal((await stat(log)).size, bytes);
  assert.deepEqual(await open.segment(0), whole, 'who reads in the former file reads on');
  await open.close();
  for (const object of objects) assert.ok((await readStored(study, object)).equals(slice));

  await study.rest();
  const rested = await stat(log);
  assert.ok(rested.size > 1_500_000 && rested.size < 1_600_000, 'what is over is given back');
  const late = await keep(study, slice);
  assert.equal(store.spares.count, 1, 'a log that holds more than a MiB stays where it is');
  await store.close();
  const again = (await found(folder)).find(({ study: { ref } }) => ref === study.ref);
  assert.equal(again?.records.length, 8);
  for (const object of [...objects, late]) assert.ok((await readStored(again.study, object)).equals(slice));
});

test('slices that come at once, with records among them, stand in the spare in order', async (t) => {
  const folder = await makeFolder(t);
  const store = await storeWith(t, 1, folder);
  const study = await store.createStudy();
  await Promise.all(['a', 'b'].map((name) => study.append(name)));
  await Promise.all([study.append('c'), keep(study, slice), study.append('d'), keep(study, slice)]);
  assert.equal(store.spares.count, 0);
  const [again] = await found(folder);
  const names = again?.records.filter((record) => typeof record === 'string');
  assert.deepEqual([again?.records.length, names], [6, ['a', 'b', 'c', 'd']]);
  await store.close();
});

test('a study that outgrows its spare goes on, and so does one that finds none', async (t) => {
  const folder = await makeFolder(t);
  const store = await storeWith(t, 1, folder);
  const body = randomBytes(1_000_000);
  const kept = new Map<string, StoredObject[]>();
  for (let number = 0; number < 2; number++) {
    const study = await store.createStudy();
    const objects: StoredObject[] = [];
    for (let i = 0; i < 18; i++) objects.push(await keep(study, body));
    assert.ok((await stat(join(folder, study.ref, 'study.log'))).size > bytes);
    kept.set(study.ref, objects);
  }
  for (const { study, records } of await found(folder)) {
    assert.equal(records.length, 18);
    for (const object of kept.get(study.ref) ?? []) assert.ok((await readStored(study, object)).equals(body));
  }
  assert.equal(kept.size, 2);
});

test('spares that a crash left are removed at the next start, without a look inside', async (t) => {
  const folder = await makeFolder(t);
  const store = await storeWith(t, 2, folder);
  const study = await store.createStudy();
  await study.append('kept');
  assert.equal((await readdir(folder)).filter((name) => name.endsWith('.spare')).length, 2);
  const opened: string[] = [];
  const files: FileSystem = {
    ...nodeFileSystem,
    open: (path, flags) => {
      opened.push(path);
      return nodeFileSystem.open(path, flags);
    },
  };
  const next = new StudyStore({ folder, boxKey, files });
  for await (const { records } of next.open()) assert.deepEqual(records, ['kept']);
  assert.deepEqual(await readdir(folder), [study.ref]);
  assert.ok(opened.length > 0 && opened.every((path) => path.includes(study.ref)), opened.join());
  await store.close();
});

/** A log as a crash leaves it in its spare, and where its last frame ends. */
async function crashed(t: TestContext) {
  const folder = await makeFolder(t);
  const store = await storeWith(t, 1, folder);
  const study = await store.createStudy();
  for (let i = 0; i < 2; i++) await keep(study, slice);
  const path = join(folder, study.ref, 'study.log');
  const log = await readFile(path);
  const end = log.findLastIndex((byte) => byte !== 0) + 1;
  return { folder, path, log, end };
}

test('after a crash the zeros behind a study are cut off, however many they are', async (t) => {
  const { folder, path, log, end } = await crashed(t);
  assert.equal(log.length, bytes);
  for (const each of ['once', 'and again']) {
    const [again] = await found(folder);
    assert.equal(again?.records.length, 2, each);
  }
  assert.equal((await stat(path)).size, end + 57, 'frames and a mark');
});

test('a frame in a spare that was being written is cut off, one that was on disk is damage', async (t) => {
  const { folder, path, log, end } = await crashed(t);
  const torn = Buffer.from(log);
  torn.fill(0, end - 5000, end);
  await writeFile(path, torn);
  const [again] = await found(folder);
  assert.equal(again?.records.length, 1);
  const damaged = Buffer.from(log);
  damaged.fill(0, 100, 1124);
  await writeFile(path, damaged);
  await assert.rejects(found(folder), corrupt);
});

test('anything but zeros far behind a study is damage, and so are zeros that nobody took', async (t) => {
  const { folder, path, log } = await crashed(t);
  for (const at of [bytes - 1, 15_000_000]) {
    const damaged = Buffer.from(log);
    damaged[at] = 1;
    await writeFile(path, damaged);
    await assert.rejects(found(folder), corrupt, `byte ${at}`);
    assert.deepEqual(await readFile(path), damaged, 'it is left as it was');
  }
  await writeFile(path, log);
  for (const length of [bytes - 1, bytes + 1]) {
    await truncate(path, length);
    await assert.rejects(found(folder), corrupt, `a file of ${length} bytes`);
  }
  await writeFile(path, log);
  assert.equal((await found(folder)).length, 1);
});

test('a log that says wrongly how it was made is damage', async (t) => {
  const { folder, path, log } = await crashed(t);
  for (const at of [28, 34, 35, 36, 59, 60]) {
    const damaged = Buffer.from(log);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    await writeFile(path, damaged);
    await assert.rejects(found(folder), corrupt, `byte ${at}`);
  }
});

for (const code of ['ENOSPC', 'EIO']) {
  test(`a disk that answers ${code} while a log moves: never success, what was acknowledged is there`, async (t) => {
    const scratch = await makeFolder(t);
    let failures = 0;
    for (let failAt = 0; ; failAt++) {
      const folder = join(scratch, failAt.toString());
      const { watch, calls } = failingAt(failAt, code);
      let isMoving = false;
      const files = watchedDisk((call) => {
        if (isMoving) watch(call);
      });
      const store = await storeWith(t, 1, folder, files);
      const study = await store.createStudy();
      const first = await keep(study, Buffer.from('first'));
      isMoving = true;
      const outcome = await keep(study, slice).then(
        () => 'kept',
        (error: unknown) => (error as { code?: string }).code,
      );
      isMoving = false;
      if (calls() <= failAt) {
        assert.equal(outcome, 'kept');
        break;
      }
      failures += 1;
      assert.equal(outcome, 'STORE_FAILED', `fault ${failAt}`);
      // Whichever of the two files has the name.
      const next = await keep(study, slice);
      await store.close();
      const [again] = await found(folder);
      assert.ok(again !== undefined);
      assert.equal((await readStored(again.study, first)).toString(), 'first');
      assert.ok((await readStored(again.study, next)).equals(slice));
      assert.deepEqual(await readdir(folder), [study.ref], `fault ${failAt} leaves a spare`);
    }
    assert.equal(failures, 3, 'write, flush, and flush of the name');
  });
}
