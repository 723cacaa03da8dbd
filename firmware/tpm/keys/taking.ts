/** The TPM becomes the box's own, and what its keys are worth until it is. */
import { equalBytes } from '../../src/encoding/bytes.ts';
import { AppError } from '../../src/errors.ts';
import type { BrokerClient } from '../broker/client.ts';
import type { ApprovedFirmwares } from './approved-firmware.ts';
import { approvalContent } from './device-policy.ts';
import type { StoredKeys } from './keys-file.ts';
import { readRecoveryFile, recoveryFileBeside } from './recovery-keeping.ts';

/**
 * True of keys that a power cut left before the TPM was taken. Whoever started the machine meanwhile may have approved
 * another firmware and opened them: they never count. A TPM that was cleared has another storage root key, and is none of
 * these. @throws AppError STORE_CORRUPT if the box key came from a restore: making others would lose it.
 */
export async function areOpenToAll(
  broker: BrokerClient,
  { rootName }: StoredKeys,
  keysFile: string,
): Promise<boolean> {
  const now = await broker.call('rootName', null);
  if (now === undefined || !equalBytes(now, rootName)) return false;
  if ((await broker.call('ownership', null)) !== 'nobody') return false;
  if ((await readRecoveryFile(keysFile)) !== undefined) {
    const recovery = recoveryFileBeside(keysFile);
    throw new AppError(
      'STORE_CORRUPT',
      `${keysFile} was not finished before the power went, and ${recovery} holds the box key: give hilum restore again`,
    );
  }
  return true;
}

/**
 * Nobody but approved firmware is the TPM's owner from now on. Does what is missing.
 * @throws AppError TPM_OWNED, and of the TPM.
 */
export async function takeTpm(
  broker: BrokerClient,
  firmware: ApprovedFirmwares,
  { approval }: Pick<StoredKeys, 'approval'>,
): Promise<void> {
  if ((await broker.call('ownership', null)) === 'complete') return;
  const authorizations = firmware.authorizations();
  await broker.call('takeOwnership', { authorizations, content: approvalContent(approval) });
}
