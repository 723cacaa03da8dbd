/** The keys of the box, from the TPM that its configuration names. */
import { join } from 'node:path';
import {
  fixedEndpoint,
  openDeviceKeys,
  SoftwareTpm,
  type OpenDeviceKeys,
  type RecoveryHalves,
  type TpmEndpoint,
} from '../../tpm/index.ts';
import type { Config } from '../config.ts';
import type { Clock, Logger } from '../ports.ts';
import type { Undo } from './undo.ts';

export const keysFileName = 'keys.json';

export interface KeysEvents {
  /** Shown once to the person in front of the box, kept nowhere. */
  readonly onRecoveryCode: (halves: RecoveryHalves) => void;
}

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

/** Makes the keys if the box has none. @throws AppError as openDeviceKeys. */
export async function openKeys(
  config: Config,
  clock: Clock,
  logger: Logger,
  events: KeysEvents,
  undo: Undo,
): Promise<OpenDeviceKeys> {
  const endpoint = await openTpm(config, logger, undo);
  const institutionId = config.institution.id;
  const keys = await openDeviceKeys({
    endpoint,
    keysFile: keysFileOf(config),
    institutionId,
    clock,
    logger,
    ...events,
  });
  undo.later(() => keys.stop());
  return keys;
}
