/**
 * When no approved firmware runs any more, and the TPM is the box's own: the hospital approves what runs, by its offline
 * rescue key and the recovery code together. All keys stay what they were.
 */
import { p256 } from '@noble/curves/nist.js';
import { AppError } from '../../src/errors.ts';
import type { Logger } from '../../src/ports.ts';
import { BrokerClient } from '../broker/client.ts';
import type { TpmEndpoint } from '../endpoint.ts';
import { unknownApprovalsMax } from '../limits.ts';
import { rescueKeyArea } from '../wire/templates.ts';
import { countMaxAfter, heldApproval, measuredRegisters } from './approved-firmware.ts';
import {
  approvalContent,
  deviceBranches,
  type Approval,
  type ApprovedFirmware,
  type Rescue,
} from './device-policy.ts';
import { readKeysFile, writeKeysFile, type StoredKeys } from './keys-file.ts';
import { lockValueOf } from './provision.ts';

export interface RescueOptions {
  readonly endpoint: TpmEndpoint;
  readonly keysFile: string;
  readonly logger: Logger;
  /** 32 bytes, from both halves. */
  readonly code: Uint8Array;
  /**
   * Has the offline key sign this message: ECDSA P-256 with SHA-256, DER as OpenSSL writes it (RFC 3279, 2.2.3). It is good
   * for this rescue alone.
   */
  readonly sign: (message: Uint8Array) => Promise<Uint8Array>;
}

/** All that the file names, whether the TPM holds it or not. */
function approvalsIn({ approval, approving }: StoredKeys): readonly ApprovedFirmware[] {
  return [...approval, ...(approving ?? [])];
}

/** @returns r ‖ s, 64 bytes. @throws AppError RECOVERY_REFUSED */
function plainSignature(der: Uint8Array): Uint8Array {
  try {
    return p256.Signature.fromBytes(der, 'der').toBytes('compact');
  } catch (cause) {
    throw new AppError('RECOVERY_REFUSED', 'the signature is none of ECDSA on P-256 in DER', { cause });
  }
}

/**
 * The keys of a box that can be rescued at all: asked before two custodians type the code.
 * @throws AppError STORE_CORRUPT without a keys file, RECOVERY_REFUSED without a rescue branch in it.
 */
export async function rescuableKeys(keysFile: string): Promise<StoredKeys & { readonly rescue: Rescue }> {
  const stored = await readKeysFile(keysFile);
  if (stored === undefined) throw new AppError('STORE_CORRUPT', `there is no ${keysFile} to rescue`);
  const { rescue } = stored;
  if (rescue === undefined)
    throw new AppError('RECOVERY_REFUSED', `${keysFile} was made without an offline rescue key`);
  return { ...stored, rescue };
}

/**
 * Approves the running firmware, alone. A power cut leaves the keys with the old approval or with the new one.
 * @throws AppError STORE_CORRUPT without a keys file or a rescue branch in it; TPM_WRONG; TPM_POLICY (nothing was
 * measured); RECOVERY_REFUSED.
 */
export async function rescueKeys({ endpoint, keysFile, logger, code, sign }: RescueOptions): Promise<void> {
  const stored = await rescuableKeys(keysFile);
  const { rescue, rootName } = stored;
  const broker = new BrokerClient({ endpoint, logger });
  try {
    // What is approved here opens the keys at the next start, whatever runs now.
    const values = await measuredRegisters(broker, rootName);
    const count = await broker.call('readCounter', { counter: 'firmware', rootName });
    const held = await heldApproval(broker, stored);
    // The box's next start steps the counter there, and what was approved before is dead, an update that waits as well.
    // Which updates wait, a file of another time does not know: each was given one step more than what was before it.
    const beyond = held === undefined ? count + unknownApprovalsMax : count;
    const approval: Approval = [{ values, countMax: countMaxAfter(beyond, held ?? approvalsIn(stored)) }];
    const message = await broker.call('beginRescue', { rootName });
    const signature = plainSignature(await sign(message));
    // As before an update: what the TPM then holds decides. A rescue that is refused must not lose what it holds now,
    // be it what a power cut left unsettled.
    await writeKeysFile(keysFile, { ...stored, approval: held ?? stored.approval, approving: approval });
    await broker.call('finishRescue', {
      rootName,
      rescueKey: rescueKeyArea(rescue.key),
      signature,
      lock: rescue.lock,
      lockValue: lockValueOf(code),
      branches: deviceBranches(rescue),
      authorizations: stored.authorizations,
      approval: approvalContent(approval),
    });
  } finally {
    await broker.close();
  }
}
