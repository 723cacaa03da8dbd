/** The TPM becomes the box's own, and what its keys are worth until it is. */
import { equalBytes } from '../../src/encoding/bytes.ts';
import { AppError } from '../../src/errors.ts';
import type { Logger } from '../../src/ports.ts';
import type { BrokerClient } from '../broker/client.ts';
import { originStatement } from '../wire/key-origin.ts';
import { nameOf } from '../wire/structures.ts';
import { ApprovedFirmwares } from './approved-firmware.ts';
import { approvalContent, boundRegisters } from './device-policy.ts';
import type { StoredKeys } from './keys-file.ts';
import type { KeysRecord } from './keys-record.ts';
import type { RecoveredKeys } from './provision.ts';
import { readRecoveryFile, recoveryFileBeside } from './recovery-keeping.ts';

/**
 * True of keys whose making a power cut ended. Whoever started the machine while nobody owned its TPM may have approved
 * another firmware, opened them and even taken the TPM in the box's place, with the box's own authorizations: they never
 * count. @throws AppError STORE_CORRUPT if the box key came from a restore: making others would lose it.
 */
export async function areUnfinished(
  { origin }: Pick<StoredKeys, 'origin'>,
  keysFile: string,
): Promise<boolean> {
  if (origin.taken !== undefined) return false;
  if ((await readRecoveryFile(keysFile)) === undefined) return true;
  const recovery = recoveryFileBeside(keysFile);
  throw new AppError(
    'STORE_CORRUPT',
    `${keysFile} was not finished before the power went, and ${recovery} holds the box key: give hilum restore again`,
  );
}

/**
 * Makes the TPM nobody's again, as far as unfinished keys own it: whatever they sealed is gone. A TPM that they do not own
 * stays what it is. @throws AppError STORE_CORRUPT (the file was altered), TPM_POLICY (also of a copy from before the TPM
 * was taken), TPM_OWNED (it cannot be cleared).
 */
export async function giveBack(broker: BrokerClient, record: KeysRecord, logger: Logger): Promise<void> {
  const now = await broker.call('rootName', null);
  if (now === undefined || !equalBytes(now, record.stored.rootName)) return;
  // Not proven, and need not be: under a TPM that has an owner after all, no key is made.
  if ((await broker.call('ownership', null)) === 'nobody') return;
  const firmware = await ApprovedFirmwares.open(broker, record);
  await firmware.checkKeys(true);
  await broker.call('clear', { authorizations: firmware.authorizations() });
  logger.warn({}, 'the TPM was cleared: its keys were not finished before the power went');
}

/**
 * Nobody but approved firmware is the TPM's owner from now on; and the attestation key says so, for others to judge: only
 * the process that made the keys may call this, and without a break. On disk when it resolves, and no copy of the file
 * from before counts any more: it would have the TPM cleared.
 * @param sealLast makes what is to be sealed only now, and goes in the place of what the file holds.
 * @throws AppError TPM_OWNED, STORE_FAILED, and of the TPM.
 */
export async function takeTpm(
  broker: BrokerClient,
  firmware: ApprovedFirmwares,
  record: KeysRecord,
  sealLast?: () => Promise<RecoveredKeys>,
): Promise<void> {
  const { approval, rootName, identity, attestation } = record.stored;
  const authorizations = firmware.authorizations();
  await broker.call('takeOwnership', { authorizations, content: approvalContent(approval) });
  const taken = await broker.call('quote', {
    attestationKey: attestation,
    rootName,
    nonce: originStatement(nameOf(identity.publicArea), nameOf(attestation.publicArea)),
    registers: boundRegisters,
  });
  const last = await sealLast?.();
  await firmware.supersedeKeys((stored) => ({ ...stored, ...last, origin: { ...stored.origin, taken } }));
}
