/** Which firmware opens the keys: the one that was approved by approved firmware, until it is retired. Nobody else can. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { fixedEndpoint, TpmError, type OpenDeviceKeys } from '../../firmware/tpm/index.ts';
import { BrokerClient } from '../../firmware/tpm/broker/client.ts';
import { guardedBy } from '../../firmware/tpm/keys/approved-firmware.ts';
import { approvalContent } from '../../firmware/tpm/keys/device-policy.ts';
import { decodeKeysFile, encodeKeysFile, type StoredKeys } from '../../firmware/tpm/keys/keys-file.ts';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import type { AppError } from '../../firmware/src/errors.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';
import { refused } from '../support/refused.ts';

const run = promisify(execFile);

const oldFirmware = 'old\n';
const newFirmware = 'new\n';

async function boxWithOldFirmware(t: TestContext): Promise<{ tpm: FreshTpm; keys: OpenDeviceKeys }> {
  const tpm = await FreshTpm.make(t);
  await tpm.installFirmware(oldFirmware);
  return { tpm, keys: await tpm.openKeys() };
}

async function boot(tpm: FreshTpm, firmware: string): Promise<OpenDeviceKeys> {
  await tpm.powerOff();
  await tpm.installFirmware(firmware);
  return tpm.openKeys();
}

async function stored(tpm: FreshTpm): Promise<StoredKeys> {
  return decodeKeysFile(await readFile(tpm.keysFile, 'utf8'), tpm.keysFile);
}

/** As if the owner's authorization had been stolen: what was approved once is written into the index again. */
async function approveOnceMore(tpm: FreshTpm, before: StoredKeys): Promise<void> {
  const after = await stored(tpm);
  await tpm.powerOff();
  await tpm.softwareTpm.start();
  const broker = new BrokerClient({ endpoint: fixedEndpoint(await tpm.tcti()), logger: tpm.logger });
  const authorizations = guardedBy(after, after.approval[0], after.approval, after.authorizations);
  await broker.call('writeApproval', { content: approvalContent(before.approval), authorizations });
  await broker.close();
  await writeFile(tpm.keysFile, encodeKeysFile(before));
}

async function refusedByCounter(attempt: Promise<unknown>): Promise<void> {
  const refusal = (await refused('TPM_POLICY', attempt)).cause;
  assert.ok(refusal instanceof TpmError);
  assert.equal(refusal.command, 'Esys_PolicyNV');
  assert.match(refusal.message, /TPM_RC_POLICY/);
}

test('an approved update opens all keys, either firmware until one is confirmed, and then that one alone', async (t) => {
  const { tpm, keys } = await boxWithOldFirmware(t);
  await keys.firmware.approveNext(await tpm.installFirmware(newFirmware));
  const updated = await boot(tpm, newFirmware);
  assert.deepEqual(updated.boxKey, keys.boxKey);
  assert.deepEqual(updated.voting.held(), keys.voting.held());
  assert.equal((await updated.signWithIdentity(utf8('x'))).length, 64);
  // The new one did not prove itself: the old slot runs again.
  assert.deepEqual((await boot(tpm, oldFirmware)).boxKey, keys.boxKey);
  await (await boot(tpm, newFirmware)).firmware.confirm();
  await refused('TPM_POLICY', boot(tpm, oldFirmware));
  const again = await boot(tpm, newFirmware);
  assert.deepEqual(again.boxKey, keys.boxKey);
  // And so on: the next update.
  await again.firmware.approveNext(await tpm.installFirmware('newer\n'));
  assert.deepEqual((await boot(tpm, 'newer\n')).boxKey, keys.boxKey);
});

test('keys that the new firmware made open under the old one while both are approved', async (t) => {
  const { tpm, keys } = await boxWithOldFirmware(t);
  await keys.firmware.approveNext(await tpm.installFirmware(newFirmware));
  const made = await (await boot(tpm, newFirmware)).voting.make();
  assert.ok((await boot(tpm, oldFirmware)).voting.signer(made));
});

test('an approved update that is taken back, or replaced by another, opens nothing', async (t) => {
  const { tpm, keys } = await boxWithOldFirmware(t);
  await keys.firmware.approveNext(await tpm.installFirmware('bad\n'));
  await keys.firmware.approveNext(await tpm.installFirmware(newFirmware));
  await refused('TPM_POLICY', boot(tpm, 'bad\n'));
  const again = await boot(tpm, oldFirmware);
  await again.firmware.confirm();
  await refused('TPM_POLICY', boot(tpm, newFirmware));
  assert.deepEqual((await boot(tpm, oldFirmware)).boxKey, keys.boxKey);
});

test('a firmware into whose registers nothing is measured is not approved, nor one of another form', async (t) => {
  const { tpm, keys } = await boxWithOldFirmware(t);
  const [authority, firmware] = await tpm.installFirmware(newFirmware);
  const zeros = new Uint8Array(32);
  await refused('TPM_POLICY', keys.firmware.approveNext([authority ?? zeros, zeros]));
  await refused('TPM_POLICY', keys.firmware.approveNext([zeros, firmware ?? zeros]));
  await assert.rejects(keys.firmware.approveNext([zeros.slice(1), zeros]), RangeError);
  assert.equal((await stored(tpm)).approval.length, 1);
});

test('a retired firmware stays dead by the counter, even if its approval comes back', async (t) => {
  const { tpm, keys } = await boxWithOldFirmware(t);
  const before = await stored(tpm);
  await keys.firmware.approveNext(await tpm.installFirmware(newFirmware));
  await (await boot(tpm, newFirmware)).firmware.confirm();
  await approveOnceMore(tpm, before);
  await refusedByCounter(boot(tpm, oldFirmware));
});

for (const [fate, next] of [
  ['that another one replaced', newFirmware],
  ['that was taken back', oldFirmware],
] as const)
  test(`an update ${fate} is dead by the counter likewise`, async (t) => {
    const { tpm, keys } = await boxWithOldFirmware(t);
    await keys.firmware.approveNext(await tpm.installFirmware('bad\n'));
    const before = await stored(tpm);
    if (next === newFirmware) await keys.firmware.approveNext(await tpm.installFirmware(next));
    await (await boot(tpm, next)).firmware.confirm();
    assert.deepEqual((await boot(tpm, next)).boxKey, keys.boxKey);
    await approveOnceMore(tpm, before);
    await refusedByCounter(boot(tpm, 'bad\n'));
  });

test('a keys file of another time is told as such', async (t) => {
  const { tpm, keys } = await boxWithOldFirmware(t);
  const before = await readFile(tpm.keysFile);
  await keys.firmware.approveNext(await tpm.installFirmware(newFirmware));
  await tpm.powerOff();
  await writeFile(tpm.keysFile, before);
  assert.match((await refused('TPM_POLICY', boot(tpm, oldFirmware))).message, /is of another time/);
});

test('only the firmware of the box writes or redefines what is approved; the rest of the machine is refused', async (t) => {
  const { tpm, keys } = await boxWithOldFirmware(t);
  const tool = async (name: string, ...args: string[]): Promise<void> => {
    const tcti = ['-T', await tpm.tcti()];
    await run('tpm2_flushcontext', [...tcti, '-t']);
    await run(`tpm2_${name}`, [...tcti, ...args]);
  };
  const approval = '0x0180684c';
  const counter = '0x0180684a';
  const content = join(tpm.folder, 'content');
  await writeFile(content, new Uint8Array(34));
  const attempts: readonly (readonly [string, ...string[]])[] = [
    ['nvwrite', approval, '-C', 'o', '-i', content],
    ['nvwrite', approval, '-C', approval, '-i', content],
    ['nvwrite', approval, '-C', 'p', '-i', content],
    ['nvundefine', approval, '-C', 'o'],
    ['nvundefine', approval, '-C', 'p'],
    ['nvincrement', counter, '-C', 'o'],
    ['nvincrement', counter, '-C', counter],
    ['nvundefine', counter, '-C', 'o'],
    ['nvdefine', '0x01806899', '-C', 'o', '-s', '8'],
    ['evictcontrol', '-C', 'o', '-c', '0x81000001'],
    ['changeauth', '-c', 'o', 'mine'],
    ['changeauth', '-c', 'p', 'mine'],
    ['clear', '-c', 'p'],
  ];
  for (const attempt of attempts) {
    // TPM_RC_BAD_AUTH of a hierarchy, TPM_RC_NV_AUTHORIZATION or TPM_RC_AUTH_UNAVAILABLE of an index.
    await assert.rejects(tool(...attempt), /0x0*(9A2|149|12F)/i, attempt.join(' '));
  }
  // The control: with the owner's own means it works, so that each refusal above was one of authorization.
  await keys.firmware.approveNext(await tpm.installFirmware(newFirmware));
  assert.deepEqual((await boot(tpm, newFirmware)).boxKey, keys.boxKey);
});

test('a TPM that somebody else owns is refused before anything is made', async (t) => {
  const tpm = await FreshTpm.make(t);
  await run('tpm2_changeauth', ['-T', await tpm.tcti(), '-c', 'o', 'theirs']);
  const failure: AppError = await refused('TPM_OWNED', tpm.openKeys());
  assert.match(failure.message, /has an owner/);
  await assert.rejects(readFile(tpm.keysFile), { code: 'ENOENT' });
});
