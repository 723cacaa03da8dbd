/** The vote log's file: opened, or begun anew where it is damaged, so that the box can earn its vote again. */
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import type { ReplaceableLog } from '../ports.ts';
import { FileAppendLog, type AppendLogOptions } from '../store/append-log.ts';
import { voteLogAllocationBytes } from '../store/limits.ts';
import { encodeVoteRecord } from '../validator/vote-records.ts';
import type { Foundation } from './foundation.ts';
import { warnIfTorn } from './torn-log.ts';
import type { Undo } from './undo.ts';

const options: AppendLogOptions = {
  domain: 'votes',
  damageCode: 'VOTE_LOG_CORRUPT',
  allocationBytes: voteLogAllocationBytes,
  keepsSpare: true,
};

/**
 * Undefined if the disk fails: the box then receives and follows the ledger, and does not vote until an admin acts. A
 * damaged log is put aside; the new one says that something is missing, and the validator does the rest.
 */
export async function openVoteLog(
  { config, health, logger }: Foundation,
  undo: Undo,
): Promise<ReplaceableLog | undefined> {
  const path = join(config.dataDir, 'votes.log');
  try {
    const log = await openOrBeginAnew(path, (error) => {
      logger.error({ error }, 'the vote log is damaged and put aside');
    });
    undo.later(() => log.close());
    warnIfTorn(log, 'votes.log', logger);
    return log;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    logger.error({ error }, 'the vote log cannot be opened, this box does not vote');
    health.raise(error.code, 'vote log', error.message);
    return undefined;
  }
}

async function openOrBeginAnew(path: string, damaged: (error: AppError) => void): Promise<FileAppendLog> {
  try {
    return await FileAppendLog.open(path, options);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'VOTE_LOG_CORRUPT') throw error;
    damaged(error);
    return FileAppendLog.beginAnew(path, options, [encodeVoteRecord({ type: 'gap' })]);
  }
}
