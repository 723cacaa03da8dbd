/**
 * When the TPM is dead or gone: new keys on another one, with what the recovery code opens. The box then has another
 * identity, which the institution's offline root names on the ledger.
 */
import { AppError } from '../../src/errors.ts';
import type { Logger } from '../../src/ports.ts';
import { BrokerClient } from '../broker/client.ts';
import type { TpmEndpoint } from '../endpoint.ts';
import { ApprovedFirmwares } from './approved-firmware.ts';
import { readKeysFile, writeKeysFile } from './keys-file.ts';
import { KeysRecord } from './keys-record.ts';
import { provision, sealRecovered } from './provision.ts';
import { openRecovery } from './recovery-file.ts';
import { readRecoveryFile, recoveryFileBeside } from './recovery-keeping.ts';
import { giveBack, takeTpm } from './taking.ts';

export interface RestoreOptions {
  readonly endpoint: TpmEndpoint;
  /** Replaced: what it held belongs to the other TPM. */
  readonly keysFile: string;
  readonly institutionId: string;
  readonly logger: Logger;
  readonly code: Uint8Array;
  readonly rescueKey?: Uint8Array;
  /** Whether these box keys are those of the data that lie there: asked before anything is made. */
  readonly fits?: (boxKeys: readonly Uint8Array[]) => Promise<boolean>;
}

/** The file from which a box is restored: asked before two custodians type the code. @throws AppError STORE_CORRUPT without one. */
export async function recoverableFile(keysFile: string): Promise<Uint8Array> {
  const file = await readRecoveryFile(keysFile);
  if (file !== undefined) return file;
  throw new AppError('STORE_CORRUPT', `there is no ${recoveryFileBeside(keysFile)} to restore from`);
}

/**
 * Makes the keys of a box anew around its box key and its account's seed. The recovery code stays the same. A power cut
 * leaves the old keys file, or a new one that is not finished; it may be repeated until it is.
 * @throws AppError RECOVERY_REFUSED (another code, a damaged file, another institution, or what it holds does not fit); STORE_CORRUPT without a recovery
 * file; TPM_OWNED, and of the TPM.
 */
export async function restoreKeys(options: RestoreOptions): Promise<void> {
  const { endpoint, keysFile, institutionId, logger, code, rescueKey, fits } = options;
  const file = await recoverableFile(keysFile);
  const path = recoveryFileBeside(keysFile);
  const recovered = await openRecovery(code, institutionId, file);
  if (recovered === undefined) {
    throw new AppError('RECOVERY_REFUSED', `the recovery code does not open ${path} for ${institutionId}`);
  }
  const { boxKey, nextBoxKey } = recovered;
  // The box writes the file anew at its next start: whoever brings the right one then would come too late.
  if (fits && !(await fits(nextBoxKey ? [boxKey, nextBoxKey] : [boxKey])))
    throw new AppError(
      'RECOVERY_REFUSED',
      `${path} is of another time: it opens nothing that lies beside it`,
    );
  const broker = new BrokerClient({ endpoint, logger });
  try {
    const before = await readKeysFile(keysFile);
    if (before !== undefined && before.origin.taken === undefined)
      await giveBack(broker, new KeysRecord(keysFile, before), logger);
    // As a new box's: nothing that was recovered is on disk before the TPM is taken.
    const stored = await provision(broker, { institutionId, code, ...(rescueKey && { rescueKey }) });
    await writeKeysFile(keysFile, stored);
    const record = new KeysRecord(keysFile, stored);
    const firmware = await ApprovedFirmwares.open(broker, record);
    await takeTpm(broker, firmware, record, () => sealRecovered(broker, stored, recovered));
    logger.info({ keysFile }, 'device keys made anew around the recovered box key');
  } finally {
    await broker.close();
  }
}
