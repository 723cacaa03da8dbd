/** No new keys where data wait for the old ones. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { refuseDataWithoutKeys } from '../../firmware/src/box/data-without-keys.ts';
import { AppError } from '../../firmware/src/errors.ts';

test('a data folder that holds sealed data needs its keys file; an empty one does not', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-test-data-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const keysFile = join(folder, 'keys.json');
  const check = (): void => refuseDataWithoutKeys(folder, keysFile);
  check();
  for (const name of ['objects', 'quarantine', 'index.key']) {
    const path = join(folder, name);
    await mkdir(path);
    assert.throws(check, (failure) => {
      assert.ok(failure instanceof AppError && failure.code === 'STORE_CORRUPT');
      assert.ok(failure.message.includes(path) && failure.message.includes('hilum restore'));
      return true;
    });
    await writeFile(keysFile, '{}');
    check();
    await rm(keysFile);
    await rm(path, { recursive: true });
  }
});
