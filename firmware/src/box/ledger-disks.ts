/** Where the ledger lies on the disk of this box: blocks, headers of old blocks, snapshots. */
import { join } from 'node:path';
import type { Logger, PrunableLog } from '../ports.ts';
import { FileLogFolder } from '../store/file-log-folder.ts';
import { SegmentedLog } from '../store/segmented-log.ts';
import type { Archive } from '../validator/validator.ts';
import type { Foundation } from './foundation.ts';
import type { Undo } from './undo.ts';

export interface LedgerDisks {
  readonly blockLog: PrunableLog;
  readonly archive: Archive;
}

/** What it needs of the configuration. */
export interface LedgerDisksFoundation {
  readonly config: Pick<Foundation['config'], 'dataDir' | 'ledger'>;
  readonly logger: Logger;
}

/** @throws AppError STORE_CORRUPT, STORE_FAILED. */
export async function openLedgerDisks(
  { config, logger }: LedgerDisksFoundation,
  undo: Undo,
): Promise<LedgerDisks> {
  const folder = (name: string): Promise<FileLogFolder> => openFolder(config.dataDir, name, logger);
  const blockLog = await SegmentedLog.open(await folder('blocks'));
  undo.later(() => blockLog.close());
  const headers = await SegmentedLog.open(await folder('headers'));
  undo.later(() => headers.close());
  const { bodiesKeptEpochs } = config.ledger;
  return { blockLog, archive: { headers, snapshots: await folder('snapshots'), bodiesKeptEpochs } };
}

function openFolder(dataDir: string, name: string, logger: Logger): Promise<FileLogFolder> {
  return FileLogFolder.open(join(dataDir, name), {
    domain: name,
    damageCode: 'STORE_CORRUPT',
    // It was never acknowledged; that it was cut off is worth a line.
    torn: (number, { offset }) =>
      logger.warn({ log: name, number, offset }, 'an unfinished last record was cut off'),
  });
}
