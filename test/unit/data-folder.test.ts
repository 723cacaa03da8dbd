import assert from 'node:assert/strict';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { claimDataFolder, dataKey, writeFileAtomically } from '../../firmware/src/store/data-folder.ts';

let parent: string;
before(async () => {
  parent = await mkdtemp(join(tmpdir(), 'hilum-folder-'));
});
after(() => rm(parent, { recursive: true }));

const lockOf = (folder: string) => join(folder, 'hilum.pid');

/** As the lock names a process: its id and the time at which it was started. */
async function nameOf(pid: number): Promise<string> {
  const stat_ = await readFile(`/proc/${pid}/stat`, 'utf8');
  return `${pid} ${stat_.slice(stat_.lastIndexOf(') ') + 2).split(' ')[19] ?? ''}`;
}

test('a folder is made for its owner alone, locked, and free again after release', async () => {
  const folder = join(parent, 'deep', 'below');
  const release = await claimDataFolder(folder);
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  assert.equal((await readFile(lockOf(folder), 'utf8')).trim(), await nameOf(process.pid));
  await release();
  await assert.rejects(stat(lockOf(folder)), { code: 'ENOENT' });
});

test('a folder of a process that lives is refused, and naming it', async (t) => {
  const folder = join(parent, 'held');
  await (
    await claimDataFolder(folder)
  )();
  const other = spawn('sleep', ['60']);
  await once(other, 'spawn');
  t.after(() => other.kill('SIGKILL'));
  assert.ok(other.pid);
  await writeFile(lockOf(folder), `${await nameOf(other.pid)}\n`);
  await assert.rejects(claimDataFolder(folder), {
    code: 'DATA_FOLDER_IN_USE',
    message: new RegExp(`${folder}.*${other.pid}`),
  });
});

test('the lock of a killed box holds nobody up, even if its process id was given again', async () => {
  const folder = join(parent, 'stale');
  await (
    await claimDataFolder(folder)
  )();
  for (const stale of ['1 999999999999', '4194304 17', 'nonsense', '']) {
    await writeFile(lockOf(folder), stale);
    await (
      await claimDataFolder(folder)
    )();
  }
});

test('a folder that cannot be made is told by its path', async () => {
  const file = join(parent, 'file');
  await writeFile(file, '');
  await assert.rejects(claimDataFolder(join(file, 'below')), {
    code: 'DATA_FOLDER_UNWRITABLE',
    message: new RegExp(file),
  });
});

test('a file is replaced whole, and is for its owner alone', async () => {
  await writeFileAtomically(parent, 'whole', Buffer.from('first'));
  await writeFileAtomically(parent, 'whole', Buffer.from('second'));
  assert.equal(await readFile(join(parent, 'whole'), 'utf8'), 'second');
  assert.equal((await stat(join(parent, 'whole'))).mode & 0o777, 0o600);
});

test('a data key is made once, and opens under its box key and name only', async () => {
  const [boxKey, otherKey] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const key = await dataKey(parent, 'index', boxKey);
  assert.equal(key.length, 32);
  assert.deepEqual(Buffer.from(await dataKey(parent, 'index', boxKey)), Buffer.from(key));
  await assert.rejects(dataKey(parent, 'index', otherKey), { code: 'STORE_CORRUPT' });
  await writeFile(join(parent, 'other.key'), await readFile(join(parent, 'index.key')));
  await assert.rejects(dataKey(parent, 'other', boxKey), { code: 'STORE_CORRUPT' });
});
