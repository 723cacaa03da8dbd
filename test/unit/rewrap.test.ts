/** Data keys under another box key: all that are left, once or again, and none that is being erased. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AppError } from '../../firmware/src/errors.ts';
import { unwrapKey, wrapKey } from '../../firmware/src/store/key-wrap.ts';
import { opensAny, rewrapKeys } from '../../firmware/src/store/rewrap.ts';

const boxKey = new Uint8Array(32).fill(1);
const nextBoxKey = new Uint8Array(32).fill(2);
const [kept, half, gone] = ['a', 'b', 'c'].map((digit) => digit.repeat(32)) as [string, string, string];

test('what is left opens under the new key alone, and an interrupted attempt is ended', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-test-rewrap-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const study = async (name: string, ref: string, under: Uint8Array): Promise<string> => {
    await mkdir(join(folder, 'objects', name), { recursive: true });
    const file = join(folder, 'objects', name, 'study.key');
    await writeFile(file, wrapKey(under, Buffer.from(ref), ref));
    return file;
  };
  const files = [
    [await study(kept, kept, boxKey), kept],
    [await study(`${half}.damaged`, half, boxKey), half],
    [await study('d'.repeat(32), 'd'.repeat(32), nextBoxKey), 'd'.repeat(32)],
  ] as const;
  const erased = await study(`${gone}.gone`, gone, boxKey);
  await writeFile(join(folder, 'objects', '1.spare'), 'no folder');
  await mkdir(join(folder, 'objects', 'e'.repeat(32)));
  await writeFile(join(folder, 'index.key'), wrapKey(boxKey, Buffer.from('index'), 'index'));
  const studyFolders = [join(folder, 'objects'), join(folder, 'not there')];
  const dataKeys = [{ folder, name: 'index' }];
  await rewrapKeys({ studyFolders, dataKeys, boxKey, nextBoxKey });
  for (const [file, ref] of [...files, [join(folder, 'index.key'), 'index'] as const]) {
    const wrapped = await readFile(file);
    assert.equal(Buffer.from(unwrapKey(nextBoxKey, wrapped, ref)).toString(), ref);
    assert.throws(() => unwrapKey(boxKey, wrapped, ref), AppError);
  }
  assert.equal(Buffer.from(unwrapKey(boxKey, await readFile(erased), gone)).toString(), gone);
  const before = await readFile(files[0][0]);
  await rewrapKeys({ studyFolders, dataKeys, boxKey, nextBoxKey });
  assert.deepEqual(await readFile(files[0][0]), before);
});

test('a key that opens under neither stops the renewal', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-test-rewrap-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'index.key'), wrapKey(new Uint8Array(32), Buffer.from('index'), 'index'));
  await assert.rejects(
    rewrapKeys({ studyFolders: [], dataKeys: [{ folder, name: 'index' }], boxKey, nextBoxKey }),
    (failure) => failure instanceof AppError && failure.code === 'STORE_CORRUPT',
  );
});

test('box keys fit what lies there if they open any of it, a damaged key apart; nothing there fits all', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-test-rewrap-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const keys = { studyFolders: [join(folder, 'objects')], dataKeys: [{ folder, name: 'index' }] };
  assert.equal(await opensAny(keys, [boxKey]), true);
  await writeFile(join(folder, 'index.key'), 'damaged');
  assert.equal(await opensAny(keys, [boxKey]), false);
  await mkdir(join(folder, 'objects', kept), { recursive: true });
  await writeFile(join(folder, 'objects', kept, 'study.key'), wrapKey(boxKey, Buffer.from(kept), kept));
  assert.equal(await opensAny(keys, [boxKey]), true);
  assert.equal(await opensAny(keys, [nextBoxKey]), false);
  assert.equal(await opensAny(keys, [nextBoxKey, boxKey]), true);
});
