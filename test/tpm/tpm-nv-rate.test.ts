/** A TPM that spares its memory: it takes no write for a while, and a box waits for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../../firmware/src/encoding/bytes.ts';
import { openDeviceKeys } from '../../firmware/tpm/index.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';
import { TappedBus } from '../support/tapped-bus.ts';

/** TPM_CC (part 2, table 12) of commands that write to the TPM's memory. */
const writing = new Map([
  [0x0000_0129, 'HierarchyChangeAuth'],
  [0x0000_012a, 'NV_DefineSpace'],
  [0x0000_0134, 'NV_Increment'],
  [0x0000_0137, 'NV_Write'],
]);

/** TPM2_GetTestResult, which changes nothing: what the TPM hears in the place of a write that it is to refuse. */
const harmless = Buffer.from(fromHex('8001' + '0000000a' + '0000017c'));
/** TPM_RC_NV_RATE. */
const tooSoon = Buffer.from(fromHex('8001' + '0000000a' + '00000920'));

test('a TPM that takes no write for a while is asked again, and each write is done once', async (t) => {
  const tpm = await FreshTpm.make(t);
  const bus = await TappedBus.between(t, tpm);
  const refusals = new Map<string, number>();
  let isRefused = false;
  bus.alterCommand = (command) => {
    const name = command.length < 10 ? undefined : writing.get(command.readUInt32BE(6));
    const before = name === undefined ? undefined : (refusals.get(name) ?? 0);
    isRefused = before !== undefined && before < 2;
    if (name === undefined || before === undefined || !isRefused) return command;
    refusals.set(name, before + 1);
    return harmless;
  };
  bus.alterAnswer = (answer) => (isRefused ? tooSoon : answer);
  const { keysFile, logger } = tpm;
  const options = { tcti: bus.tcti, keysFile, institutionId: 'north', logger };
  const keys = await openDeviceKeys({ ...options, onRecoveryCode: () => undefined });
  t.after(() => keys.stop());
  assert.deepEqual([...refusals.keys()].sort(), [...writing.values()].sort());
  assert.deepEqual(new Set(refusals.values()), new Set([2]));

  const before = await keys.starts.value();
  refusals.clear();
  assert.equal(await keys.starts.advance(), before + 1);
  assert.deepEqual([...refusals], [['NV_Increment', 2]]);
  assert.equal(await keys.starts.value(), before + 1);
  assert.equal(logger.lines.filter((line) => line.includes('TPM opened')).length, 1);
});
