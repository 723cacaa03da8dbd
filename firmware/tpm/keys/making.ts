import { randomBytes } from 'node:crypto';
import { AppError } from '../../src/errors.ts';
import type { Logger } from '../../src/ports.ts';
import type { BrokerClient } from '../broker/client.ts';
import { writeKeysFile, type StoredKeys } from './keys-file.ts';
import { provision } from './provision.ts';
import {
  recoveryBlindBytes,
  recoveryCodeBytes,
  splitRecoveryCode,
  type RecoveryHalves,
} from './recovery-code.ts';
import { readRecoveryFile, recoveryFileBeside } from './recovery-keeping.ts';

export interface Making {
  readonly keysFile: string;
  readonly institutionId: string;
  readonly logger: Logger;
  readonly rescueKey?: Uint8Array;
  /** The keys are kept when it has ended; if it fails, none are. */
  readonly onRecoveryCode: (halves: RecoveryHalves) => Promise<void> | void;
}

/**
 * Makes the keys of a new box, shows its recovery code, and only then keeps them.
 * @throws AppError STORE_CORRUPT where an earlier keys file left its recovery file; of the TPM, STORE_FAILED.
 */
export async function makeKeys(broker: BrokerClient, options: Making): Promise<StoredKeys> {
  const { keysFile, institutionId, logger, rescueKey, onRecoveryCode } = options;
  if ((await readRecoveryFile(keysFile)) !== undefined) {
    const recovery = recoveryFileBeside(keysFile);
    throw new AppError(
      'STORE_CORRUPT',
      `there is no ${keysFile}, but ${recovery} holds the keys that were in it: put it back, or give hilum restore`,
    );
  }
  const code = new Uint8Array(randomBytes(recoveryCodeBytes));
  const stored = await provision(broker, { institutionId, code, ...(rescueKey && { rescueKey }) });
  await onRecoveryCode(splitRecoveryCode(code, new Uint8Array(randomBytes(recoveryBlindBytes))));
  await writeKeysFile(keysFile, stored);
  logger.info({ keysFile }, 'device keys made and sealed');
  return stored;
}
