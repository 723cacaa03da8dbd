/** Somebody at the machine, with the disk and its TPM, who starts a firmware of his own. */
import { AppError } from '../../firmware/src/errors.ts';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { BrokerClient, fixedEndpoint } from '../../firmware/tpm/index.ts';
import { guardedBy, measuredRegisters } from '../../firmware/tpm/keys/approved-firmware.ts';
import { approvalContent, erasureStep, type Approval } from '../../firmware/tpm/keys/device-policy.ts';
import { readKeysFile, type StoredKeys } from '../../firmware/tpm/keys/keys-file.ts';
import type { FreshTpm } from './fresh-tpm.ts';

async function unlessRefused<T>(attempt: Promise<T>): Promise<T | undefined> {
  try {
    return await attempt;
  } catch (failure) {
    if (failure instanceof AppError) return undefined;
    throw failure;
  }
}

async function opensNow(broker: BrokerClient, stored: StoredKeys): Promise<string[]> {
  const { rootName, boxKey, nextBoxKey, accountSeed } = stored;
  const values = await measuredRegisters(broker);
  const approval: Approval = [{ values, countMax: stored.approval[0].countMax }];
  await unlessRefused(broker.call('writeFirstApproval', { rootName, content: approvalContent(approval) }));
  const opened: (Uint8Array | undefined)[] = [
    await unlessRefused(broker.call('unseal', guardedBy(stored, approval[0], approval, accountSeed))),
  ];
  for (const sealed of [boxKey, nextBoxKey]) {
    if (sealed === undefined) continue;
    const guarded = guardedBy(stored, approval[0], approval, sealed.blob);
    const policy = [...guarded.policy, erasureStep(sealed.erasuresMax)];
    opened.push(await unlessRefused(broker.call('unseal', { ...guarded, policy })));
  }
  return opened.filter((secret) => secret !== undefined).map(toHex);
}

/**
 * Starts it, has the TPM approve it if the TPM lets anybody, and opens what the keys file holds of the secrets that a box
 * keeps for ever. The machine is off afterwards, with that firmware in place. @returns what opened, in hexadecimal.
 */
export async function openByForeignFirmware(tpm: FreshTpm): Promise<readonly string[]> {
  await tpm.powerOff();
  await tpm.installFirmware('foreign\n');
  const stored = await readKeysFile(tpm.keysFile);
  if (stored === undefined) return [];
  await tpm.softwareTpm.start();
  const broker = new BrokerClient({ endpoint: fixedEndpoint(await tpm.tcti()), logger: tpm.logger });
  try {
    return await opensNow(broker, stored);
  } finally {
    await broker.close();
    await tpm.powerOff();
  }
}
