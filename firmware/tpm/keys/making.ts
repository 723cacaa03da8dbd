import { randomBytes } from 'node:crypto';
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

export interface Making {
  readonly keysFile: string;
  readonly institutionId: string;
  readonly logger: Logger;
  readonly rescueKey?: Uint8Array;
  readonly onRecoveryCode: (halves: RecoveryHalves) => void;
}

/** Makes the keys of a new box, shows its recovery code, and only then keeps them. */
export async function makeKeys(broker: BrokerClient, options: Making): Promise<StoredKeys> {
  const { keysFile, institutionId, logger, rescueKey, onRecoveryCode } = options;
  const code = new Uint8Array(randomBytes(recoveryCodeBytes));
  const stored = await provision(broker, { institutionId, code, ...(rescueKey && { rescueKey }) });
  onRecoveryCode(splitRecoveryCode(code, new Uint8Array(randomBytes(recoveryBlindBytes))));
  await writeKeysFile(keysFile, stored);
  logger.info({ keysFile }, 'device keys made and sealed');
  return stored;
}
