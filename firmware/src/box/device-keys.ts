/** The keys of the box, from the TPM that its configuration names. */
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  fixedEndpoint,
  openDeviceKeys,
  SoftwareTpm,
  type OpenDeviceKeys,
  type TpmEndpoint,
} from '../../tpm/index.ts';
import type { Config } from '../config.ts';
import { concatBytes, u8 } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { Clock, Logger } from '../ports.ts';
import type { CodeCustody } from './code-custody.ts';
import { refuseDataWithoutKeys } from './data-without-keys.ts';
import type { Undo } from './undo.ts';

export const keysFileName = 'keys.json';

export function keysFileOf({ dataDir }: Config): string {
  return join(dataDir, keysFileName);
}

/** The TPM of the machine, or a software TPM that runs until `undo`. @throws AppError TPM_SIMULATOR_MISSING, TPM_FAILED. */
export async function openTpm({ tpm }: Config, logger: Logger, undo: Undo): Promise<TpmEndpoint> {
  if (tpm.kind === 'device') return fixedEndpoint(`device:${tpm.device}`);
  const softwareTpm = new SoftwareTpm({ stateFolder: tpm.swtpmDir, logger });
  undo.later(() => softwareTpm.stop());
  await softwareTpm.start();
  return softwareTpm;
}

/**
 * The hospital's offline rescue key as an uncompressed point (SEC1, 65 bytes), if the configuration names one.
 * @throws AppError CONFIG_INVALID.
 */
export function readRescueKey({ tpm: { rescueKeyFile } }: Config): Uint8Array | undefined {
  if (rescueKeyFile === undefined) return undefined;
  const invalid = (what: string, cause?: unknown): AppError =>
    new AppError('CONFIG_INVALID', `Configuration: tpm.rescueKeyFile: ${rescueKeyFile} ${what}.`, { cause });
  let key: JsonWebKey;
  try {
    key = createPublicKey(readFileSync(rescueKeyFile)).export({ format: 'jwk' });
  } catch (cause) {
    throw invalid('is no PEM file of a public key', cause);
  }
  const { crv, x, y } = key;
  if (crv !== 'P-256' || x === undefined || y === undefined) throw invalid('holds no key on P-256');
  return concatBytes(u8(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url'));
}

/** Makes the keys if the box has none and `custody` is ready for the code. @throws AppError as openDeviceKeys, KEYS_NOT_MADE. */
export async function openKeys(
  config: Config,
  clock: Clock,
  logger: Logger,
  custody: CodeCustody,
  undo: Undo,
): Promise<OpenDeviceKeys> {
  refuseDataWithoutKeys(config.dataDir, keysFileOf(config));
  const endpoint = await openTpm(config, logger, undo);
  const rescueKey = readRescueKey(config);
  const { eventLogFile } = config.tpm;
  const keys = await openDeviceKeys({
    endpoint,
    keysFile: keysFileOf(config),
    institutionId: config.institution.id,
    clock,
    logger,
    onMaking: () => custody.prepare(),
    onRecoveryCode: (halves) => custody.hand(halves),
    ...(rescueKey && { rescueKey }),
    ...(eventLogFile !== undefined && { eventLogFile }),
  });
  undo.later(() => keys.stop());
  return keys;
}
