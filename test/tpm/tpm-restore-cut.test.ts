/** The plug is pulled while a hospital restores its box, and somebody else starts the machine before it goes on. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import {
  fixedEndpoint,
  joinRecoveryCode,
  restoreKeys,
  type OpenDeviceKeys,
  type RestoreOptions,
} from '../../firmware/tpm/index.ts';
import { openByForeignFirmware } from '../support/foreign-firmware.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';
import { refused } from '../support/refused.ts';
import { TappedBus } from '../support/tapped-bus.ts';

const ownFirmware = 'own\n';

/** A box whose mainboard was exchanged, and what its hospital restores it with. */
interface MovedBox {
  readonly tpm: FreshTpm;
  /** As they were before. */
  readonly keys: OpenDeviceKeys;
  readonly restoring: () => RestoreOptions;
}

async function movedBox(t: TestContext): Promise<MovedBox> {
  const tpm = await FreshTpm.make(t);
  await tpm.installFirmware(ownFirmware);
  const keys = await tpm.openKeys();
  const joined = joinRecoveryCode(...(tpm.recoveryHalves ?? assert.fail('no recovery code was shown')));
  assert.ok(joined.kind === 'code');
  await tpm.powerOff();
  await rm(tpm.stateFolder, { recursive: true });
  const restoring = (): RestoreOptions => ({
    endpoint: tpm.softwareTpm,
    keysFile: tpm.keysFile,
    institutionId: 'north',
    logger: tpm.logger,
    code: joined.code,
  });
  return { tpm, keys, restoring };
}

/** TPM_CC (part 2, table 12). */
const hierarchyChangeAuth = 0x0000_0129;
const quote = 0x0000_0158;

/** The power goes when the TPM is about to get this command for the n-th time. */
async function cutBefore(
  t: TestContext,
  { tpm, restoring }: Pick<MovedBox, 'tpm' | 'restoring'>,
  command: number,
  time: number,
): Promise<void> {
  const bus = await TappedBus.between(t, tpm);
  const pid = await tpm.pid();
  let met = 0;
  bus.alterCommand = (bytes) => {
    if (bytes.length > 10 && bytes.readUInt32BE(6) === command && ++met === time)
      process.kill(pid, 'SIGKILL');
    return bytes;
  };
  await refused('TPM_ABSENT', restoreKeys({ ...restoring(), endpoint: fixedEndpoint(bus.tcti) }));
  await tpm.powerOff();
  assert.equal(met, time);
}

for (const [moment, command, time, openedCount] of [
  // The control: it does open what lies there, keys that never were anybody's.
  ['nobody owns the TPM yet', hierarchyChangeAuth, 1, 2],
  ['the owner is set and the lock-out hierarchy is not', hierarchyChangeAuth, 2, 0],
  ['the TPM is taken and the keys do not say so', quote, 1, 0],
] as const)
  test(`a restore that ends when ${moment} gives a foreign firmware no secret of the box, and is given again`, async (t) => {
    const box = await movedBox(t);
    const { tpm, keys, restoring } = box;
    await cutBefore(t, box, command, time);
    const opened = await openByForeignFirmware(tpm);
    assert.equal(opened.length, openedCount);
    for (const secret of [keys.boxKey, keys.accountSeed]) assert.ok(!opened.includes(toHex(secret)));
    await tpm.installFirmware(ownFirmware);
    await refused('STORE_CORRUPT', tpm.openKeys());
    await tpm.powerOff();
    await restoreKeys(restoring());
    const restored = await tpm.openKeys();
    assert.deepEqual(restored.boxKey, keys.boxKey);
    assert.deepEqual(restored.accountSeed, keys.accountSeed);
  });
