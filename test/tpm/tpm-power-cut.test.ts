/**
 * The power goes at random moments while a box makes its keys, restores them, rotates and re-seals them, and approves
 * firmware: box process, broker and TPM are killed at once. The box is then as before or as after, and opens; and a
 * firmware that is started in between opens nothing of it.
 * HILUM_TPM_POWER_CUTS says how many cuts of each, 6 unless told; HILUM_TPM_POWER_CUT_SEED repeats one run's moments.
 */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../firmware/src/errors.ts';
import { toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { decodeKeysFile } from '../../firmware/tpm/keys/keys-file.ts';
import { joinRecoveryCode, restoreKeys } from '../../firmware/tpm/index.ts';
import { openByForeignFirmware } from '../support/foreign-firmware.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';
import { indexKey, rewrapIndexKey } from '../support/index-key.ts';
import { cutPower, cutsUnlessTold, moment } from '../support/power-cut.ts';

const cuts = cutsUnlessTold(6);

function startBox(folder: string, ...story: string[]): ChildProcess {
  return fork(join(import.meta.dirname, '..', 'support', 'tpm-box.ts'), [folder, ...story], { execArgv: [] });
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw failure;
  }
}

/** The keys file, if the keys in it count: those whose box had not taken its TPM when the power went do not. */
async function finishedKeys({ keysFile }: FreshTpm): Promise<string | undefined> {
  const text = await textOf(keysFile);
  return text !== undefined && decodeKeysFile(text, keysFile).origin.taken ? text : undefined;
}

/** Whether the keys open, which are then the restored ones. */
async function opensAs(tpm: FreshTpm, boxKey: Uint8Array): Promise<boolean> {
  await tpm.powerOff();
  try {
    assert.deepEqual((await tpm.openKeys()).boxKey, boxKey);
    return true;
  } catch (failure) {
    if (failure instanceof AppError && ['TPM_WRONG', 'STORE_CORRUPT'].includes(failure.code)) return false;
    throw failure;
  } finally {
    await tpm.powerOff();
  }
}

/** Longer than one round of the changes takes on an idle machine. */
const changeMs = 2_000;

const gone = (path: string): Promise<void> => assert.rejects(access(path), { code: 'ENOENT' });

test('while the keys are made: the box is new, or has the keys that it had', async (t) => {
  const whole = await FreshTpm.make(t);
  const begun = performance.now();
  await whole.openKeys();
  const durationMs = performance.now() - begun;
  await whole.powerOff();
  const outcomes = new Set<string>();
  for (let number = 0; number < cuts; number++) {
    const tpm = await FreshTpm.make(t);
    const box = startBox(tpm.folder);
    await Promise.race([once(box, 'message'), delay(moment(number) * durationMs * 1.3)]);
    await cutPower(box);
    const before = await finishedKeys(tpm);
    outcomes.add(before === undefined ? 'new' : 'made');
    const keys = await tpm.openKeys();
    assert.equal((await keys.signWithIdentity(utf8('x'))).length, 64, `cut ${number}`);
    if (before !== undefined) assert.equal(await textOf(tpm.keysFile), before, `cut ${number}`);
    await gone(`${tpm.keysFile}.tmp`);
    assert.equal(await keys.probe(), 'ready');
    await tpm.powerOff();
  }
  assert.ok(outcomes.has('new'));
});

test('while a box is restored: it opens or is restored again, and nobody else opens what it keeps', async (t) => {
  const tpm = await FreshTpm.make(t);
  await tpm.installFirmware('own\n');
  const first = await tpm.openKeys();
  const joined = joinRecoveryCode(...(tpm.recoveryHalves ?? assert.fail('no recovery code was shown')));
  assert.ok(joined.kind === 'code');
  const { code } = joined;
  const { keysFile, logger } = tpm;
  const moveToNewBoard = async (): Promise<void> => {
    await tpm.powerOff();
    await rm(tpm.stateFolder, { recursive: true });
    await tpm.softwareTpm.start();
  };
  const restore = (): Promise<void> =>
    restoreKeys({ endpoint: tpm.softwareTpm, keysFile, institutionId: 'north', logger, code });
  await moveToNewBoard();
  const begun = performance.now();
  await restore();
  const durationMs = performance.now() - begun;
  for (let number = 0; number < cuts; number++) {
    await moveToNewBoard();
    await tpm.powerOff();
    const box = startBox(tpm.folder, 'restore', toHex(code));
    await Promise.race([once(box, 'message'), delay(moment(number) * durationMs * 1.5)]);
    await cutPower(box);
    const opened = await openByForeignFirmware(tpm);
    for (const secret of [first.boxKey, first.accountSeed])
      assert.ok(!opened.includes(toHex(secret)), `cut ${number}`);
    await tpm.installFirmware('own\n');
    if (!(await opensAs(tpm, first.boxKey))) {
      await restore();
      assert.ok(await opensAs(tpm, first.boxKey), `cut ${number}`);
    }
  }
});

test('while keys are rotated and sealed anew and firmware is approved: every key opens, and the box goes on', async (t) => {
  const tpm = await FreshTpm.make(t);
  const first = await tpm.openKeys();
  const wrapped = await indexKey(tpm.folder, first.boxKey);
  await tpm.powerOff();
  let changed = 0;
  for (let number = 0; number < cuts; number++) {
    const box = startBox(tpm.folder, 'changes');
    box.on('message', (message: { changes?: number }) => (changed += message.changes === undefined ? 0 : 1));
    await once(box, 'message');
    await delay(moment(number) * changeMs);
    await cutPower(box);
    const keys = await tpm.openKeys();
    if (keys.isRenewing) await keys.renewBoxKey(rewrapIndexKey(tpm.folder));
    assert.equal(toHex(await indexKey(tpm.folder, keys.boxKey)), toHex(wrapped), `cut ${number}`);
    assert.deepEqual(keys.identityPublicKey, first.identityPublicKey, `cut ${number}`);
    assert.equal((await keys.signWithIdentity(utf8('x'))).length, 64);
    for (const held of [keys.voting, keys.transaction, keys.transport]) {
      assert.ok(held.held().length >= 1 && held.held().length <= 2, `cut ${number}`);
      for (const key of held.held()) assert.ok(held.signer(key), `cut ${number}: ${toHex(key)}`);
    }
    // The box can do all that it could.
    for (const held of [keys.voting, keys.transaction, keys.transport])
      await held.keepOnly([await held.make()]);
    await keys.firmware.confirm();
    await keys.starts.advance();
    await gone(`${tpm.keysFile}.tmp`);
    await tpm.powerOff();
  }
  assert.ok(changed > 0, 'no power cut came after a change');
});
