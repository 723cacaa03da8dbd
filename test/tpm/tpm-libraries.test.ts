/** A machine without tpm2-tss, or with one that cannot be loaded: the box says which library, and works once it is there. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { AppError } from '../../firmware/src/errors.ts';
import { healthOf } from '../../firmware/tpm/fault.ts';
import { tssSonames } from '../../firmware/tpm/esys/libraries.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';

test('each library of tpm2-tss that does not load is named', async (t) => {
  const tpm = await FreshTpm.make(t);
  const before = process.env.LD_LIBRARY_PATH;
  const path = (folder?: string): void => {
    if (folder !== undefined) process.env.LD_LIBRARY_PATH = folder;
    else if (before === undefined) delete process.env.LD_LIBRARY_PATH;
    else process.env.LD_LIBRARY_PATH = before;
  };
  t.after(() => path());
  for (const [library, sonames] of Object.entries(tssSonames)) {
    // The broker looks here first, and finds what is no library.
    const folder = join(tpm.folder, library);
    await mkdir(folder);
    for (const soname of sonames) await writeFile(join(folder, soname), 'no library');
    path(folder);
    await assert.rejects(tpm.openKeys(), (failure) => {
      assert.ok(failure instanceof AppError);
      assert.equal(failure.code, 'TPM_LIBRARY_MISSING');
      // Or by the library that needs it, whose loading meets it first.
      assert.ok(failure.message.includes(join(folder, sonames[0])), failure.message);
      assert.equal(healthOf(failure), 'absent');
      return true;
    });
  }
  path();
  assert.equal((await tpm.openKeys()).health(), 'ready');
});
