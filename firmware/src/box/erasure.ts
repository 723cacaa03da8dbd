/** What was erased is made unreadable in every copy of the disk: by another box key, and a counter in the TPM. */
import { join } from 'node:path';
import type { OpenDeviceKeys } from '../../tpm/index.ts';
import type { Config } from '../config.ts';
import { claimDataFolder } from '../store/data-folder.ts';
import { rewrapKeys, type WrappedKeys } from '../store/rewrap.ts';
import { nobodysCustody } from './code-custody.ts';
import { openKeys } from './device-keys.ts';
import { openLog } from './pino-log.ts';
import { systemClock } from './system-clock.ts';
import { Undo } from './undo.ts';

/** Names below the data folder: where studies are kept, and the one data key besides theirs. */
const studyFolderNames = ['objects', 'quarantine'] as const;
const indexKeyName = 'index';

/** All that the box key wraps in this folder. */
export function wrappedIn(dataDir: string): WrappedKeys {
  return {
    studyFolders: studyFolderNames.map((name) => join(dataDir, name)),
    dataKeys: [{ folder: dataDir, name: indexKeyName }],
  };
}

/** Begins a renewal of the box key, or ends one. No store may be open. @throws AppError of TPM and store. */
export function renewBoxKey(dataDir: string, keys: OpenDeviceKeys): Promise<void> {
  return keys.renewBoxKey((boxKey, nextBoxKey) => rewrapKeys({ ...wrappedIn(dataDir), boxKey, nextBoxKey }));
}

/** For a box that is stopped. @throws AppError as renewBoxKey. */
export async function forget(config: Config): Promise<void> {
  const undo = new Undo();
  try {
    undo.later(await claimDataFolder(config.dataDir));
    const logger = openLog(config);
    const keys = await openKeys(config, systemClock, logger, nobodysCustody(config, logger), undo);
    await renewBoxKey(config.dataDir, keys);
  } finally {
    await undo.run();
  }
}
