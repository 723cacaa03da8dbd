/** What was erased stays erased: the old box key is dead in every copy of the disk, and a renewal survives what comes between. */
import assert from 'node:assert/strict';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { joinRecoveryCode, restoreKeys, TpmError } from '../../firmware/tpm/index.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';
import { refused } from '../support/refused.ts';

test('after a renewal the box has another box key, and an older keys file opens nothing any more', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  const before = await readFile(tpm.keysFile);
  const old = keys.boxKey;
  const given: Uint8Array[] = [];
  await keys.renewBoxKey((boxKey, nextBoxKey) => {
    given.push(boxKey, nextBoxKey);
    return Promise.resolve();
  });
  assert.deepEqual(given, [old, keys.boxKey]);
  assert.notDeepEqual(keys.boxKey, old);
  assert.equal(keys.isRenewing, false);
  await tpm.powerOff();
  const after = await readFile(tpm.keysFile);
  // A copy of the disk from before, in the very machine.
  await writeFile(tpm.keysFile, before);
  const failure = await refused('TPM_POLICY', tpm.openKeys());
  assert.ok(failure.cause instanceof TpmError);
  assert.equal(failure.cause.command, 'Esys_PolicyNV');
  await tpm.powerOff();
  await writeFile(tpm.keysFile, after);
  assert.deepEqual((await tpm.openKeys()).boxKey, keys.boxKey);
});

test('a renewal that was interrupted goes on with the same key, here and on another TPM', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  const old = keys.boxKey;
  let next = new Uint8Array();
  await assert.rejects(
    keys.renewBoxKey((_, nextBoxKey) => {
      next = new Uint8Array(nextBoxKey);
      return Promise.reject(new Error('the power goes'));
    }),
    /the power goes/,
  );
  assert.deepEqual(keys.boxKey, old);
  assert.equal(keys.isRenewing, true);
  const [first, second] = tpm.recoveryHalves ?? assert.fail();
  const joined = joinRecoveryCode(first, second);
  assert.ok(joined.kind === 'code');
  await tpm.powerOff();
  await rename(tpm.stateFolder, `${tpm.stateFolder}.dead`);
  const { keysFile, logger } = tpm;
  const code = joined.code;
  await restoreKeys({ endpoint: tpm.softwareTpm, keysFile, institutionId: 'north', logger, code });
  const restored = await tpm.openKeys();
  assert.equal(restored.isRenewing, true);
  assert.deepEqual(restored.boxKey, old);
  await restored.renewBoxKey((boxKey, nextBoxKey) => {
    assert.deepEqual([boxKey, nextBoxKey].map(toHex), [old, next].map(toHex));
    return Promise.resolve();
  });
  assert.equal(toHex(restored.boxKey), toHex(next));
  await tpm.powerOff();
  const again = await tpm.openKeys();
  assert.equal(again.isRenewing, false);
  assert.equal(toHex(again.boxKey), toHex(next));
});
