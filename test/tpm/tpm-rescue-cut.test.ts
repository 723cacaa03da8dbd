/** The power goes at random moments while a hospital has its box rescued: HILUM_TPM_POWER_CUTS says how often, 4 unless told. */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { joinRecoveryCode, rescueKeys, type OpenDeviceKeys } from '../../firmware/tpm/index.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';
import { offlineKey } from '../support/offline-key.ts';
import { cutPower, cutsUnlessTold, moment } from '../support/power-cut.ts';
import { refused } from '../support/refused.ts';

const cuts = cutsUnlessTold(4);
const boxPath = join(import.meta.dirname, '..', 'support', 'tpm-box.ts');

/** Starts this firmware. @returns undefined if it is not approved. */
async function opened(tpm: FreshTpm, firmware: string): Promise<OpenDeviceKeys | undefined> {
  await tpm.powerOff();
  await tpm.installFirmware(firmware);
  try {
    return await tpm.openKeys();
  } catch (failure) {
    if (failure instanceof AppError && failure.code === 'TPM_POLICY') return undefined;
    throw failure;
  }
}

test('while a box is rescued: the old firmware opens the keys or the new one does, and never both', async (t) => {
  const tpm = await FreshTpm.make(t);
  const offline = offlineKey();
  tpm.rescueKey = offline.point;
  const nameOf = (number: number): string => `version ${number}\n`;
  await tpm.installFirmware(nameOf(0));
  const first = await tpm.openKeys();
  const joined = joinRecoveryCode(...(tpm.recoveryHalves ?? assert.fail('no recovery code was shown')));
  assert.ok(joined.kind === 'code');
  const { code } = joined;
  const { keysFile, logger } = tpm;
  const rescue = async (firmware: string): Promise<void> => {
    await tpm.powerOff();
    await tpm.installFirmware(firmware);
    await rescueKeys({ endpoint: tpm.softwareTpm, keysFile, logger, code, sign: offline.sign });
  };
  const isWhole = async (keys: OpenDeviceKeys, at: string): Promise<void> => {
    assert.deepEqual(keys.boxKey, first.boxKey, at);
    assert.deepEqual(keys.identityPublicKey, first.identityPublicKey, at);
    assert.deepEqual(keys.voting.held(), first.voting.held(), at);
    assert.equal(await keys.probe(), 'ready', at);
  };

  const startRescue = (): ChildProcess =>
    fork(boxPath, [tpm.folder, 'rescue', toHex(code), offline.secret], { execArgv: [] });

  await tpm.powerOff();
  await tpm.installFirmware(nameOf(1));
  const begun = performance.now();
  const whole = startRescue();
  await once(whole, 'message');
  const durationMs = performance.now() - begun;
  await cutPower(whole);
  await isWhole(await tpm.openKeys(), 'the rescue that was not cut');
  const outcomes = { before: 0, after: 0 };
  for (let number = 0; number < cuts; number++) {
    const at = `cut ${number}`;
    const [old, next] = [nameOf(number + 1), nameOf(number + 2)];
    await tpm.powerOff();
    await tpm.installFirmware(next);
    const box = startRescue();
    await Promise.race([once(box, 'message'), delay(moment(number) * durationMs * 1.1)]);
    await cutPower(box);
    const rescued = await opened(tpm, next);
    outcomes[rescued === undefined ? 'before' : 'after']++;
    if (rescued === undefined) {
      await isWhole((await opened(tpm, old)) ?? assert.fail(`${at}: neither firmware opens the keys`), at);
      await rescue(next);
      await isWhole(await tpm.openKeys(), at);
    } else await isWhole(rescued, at);
    await tpm.powerOff();
    await tpm.installFirmware(old);
    await refused('TPM_POLICY', tpm.openKeys());
  }
  t.diagnostic(`${cuts} cuts: ${outcomes.before} before, ${outcomes.after} after the rescue`);
});
