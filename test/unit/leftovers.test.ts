/** Files that no record names: a failing disk keeps them no longer than it fails; those that a record may name stay. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { StudyFolder } from '../../firmware/src/ports.ts';
import { nodeFileSystem, type FileSystem } from '../../firmware/src/store/file-system.ts';
import { StudyStore } from '../../firmware/src/store/study-store.ts';
import { settle } from '../support/until.ts';
import { watchedDisk, type DiskCall } from '../support/watched-disk.ts';

const large = Buffer.alloc(1_500_000, 'Canary^Winifred');
const own = ['study.key', 'study.log'];

const eio = (): Error => Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });

/** A disk that fails where it is told to. */
class FailingDisk {
  /** Calls that fail. */
  fails: (call: DiskCall) => boolean = () => false;
  /** It lets nothing go. */
  keeps = false;
  readonly files: FileSystem;

  constructor() {
    const disk = watchedDisk((call) => {
      if (this.fails(call)) throw eio();
    }, nodeFileSystem);
    this.files = {
      ...disk,
      remove: (path) => (this.keeps ? Promise.reject(eio()) : disk.remove(path)),
    };
  }
}

/** A store with one study, whose folder's names can be asked for. */
async function opened(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-leftovers-'));
  const disk = new FailingDisk();
  const store = new StudyStore({ folder, boxKey: randomBytes(32), files: disk.files });
  t.after(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });
  const study = await store.createStudy();
  await study.append({ is: 'study' });
  const names = async (): Promise<readonly string[]> => (await readdir(join(folder, study.ref))).toSorted();
  return { disk, store, study, names };
}

/** As a reception does it that cannot end well: what it wrote is given up. */
async function failToKeep(study: StudyFolder): Promise<void> {
  const writer = study.createObject([]);
  const kept = async (): Promise<void> => {
    await writer.write(large);
    await writer.finish();
  };
  await assert.rejects(kept(), { code: 'STORE_FAILED' });
  await writer.abort();
}

test('what a failing disk does not let go is removed when it takes something again', async (t) => {
  const { disk, study, names } = await opened(t);
  disk.fails = ({ call, path }) => call === 'sync' && path.endsWith('.part');
  disk.keeps = true;
  await failToKeep(study);
  assert.equal((await names()).length, own.length + 1, 'the disk keeps it');
  await study.append({ is: 'still failing' });
  assert.equal((await names()).length, own.length + 1);
  disk.keeps = false;
  await study.append({ is: 'well again' });
  for (let turn = 0; turn < 1_000 && (await names()).length > own.length; turn++) await settle();
  assert.deepEqual(await names(), own);
});

test('what a failing disk does not let go is removed at the latest when the store is closed', async (t) => {
  const { disk, store, study, names } = await opened(t);
  disk.fails = ({ call, path }) => call === 'sync' && path.endsWith('.part');
  disk.keeps = true;
  await failToKeep(study);
  disk.keeps = false;
  await store.close();
  assert.deepEqual(await names(), own);
});

test('an object whose name cannot be flushed leaves nothing behind', async (t) => {
  const { disk, study, names } = await opened(t);
  disk.fails = ({ call }) => call === 'syncFolder';
  await failToKeep(study);
  assert.deepEqual(await names(), own);
});

test('a file stays that a record may name, until that is cut off, or whose object is complete', async (t) => {
  const { disk, store, study, names } = await opened(t);
  const writer = study.createObject([]);
  await writer.write(large);
  const sealed = await writer.finish();
  await writer.abort();
  assert.equal((await names()).length, own.length + 1, 'who began it does not take back what was finished');
  disk.fails = ({ call, path }) => call !== 'write' && path.endsWith('study.log');
  await assert.rejects(
    sealed.append(() => ({ is: 'object' })),
    { code: 'STORE_FAILED' },
  );
  assert.equal((await names()).length, own.length + 1, 'its record may be on disk');
  disk.fails = () => false;
  await study.append({ is: 'well again' });
  assert.deepEqual(await names(), own);
  await store.close();
});
