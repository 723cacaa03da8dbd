/**
 * Makes a study's log good whose disk failed, without a start: what was acknowledged stays, the rest is cut off.
 *
 * After a failed flush Linux takes what it holds in memory for the disk's content, and no later flush writes it. So what
 * was not known to be on disk is written again. The file is the one that has the name now: a log that was moving into a
 * spare has all that was acknowledged in either.
 */
import { dirname } from 'node:path';
import { readAt } from './file-bytes.ts';
import type { FileSystem, StoredFile } from './file-system.ts';
import type { LogPoint } from './study-log.ts';

/** What disks and file systems write or lose at a time. */
const blockBytes = 4096;

export interface FailedLog {
  readonly files: FileSystem;
  readonly path: string;
  /** Up to where it holds what was acknowledged. */
  readonly point: LogPoint;
  /** It may have failed in the block in which the log ends; a disk that was merely full has not. */
  readonly isSuspect: boolean;
}

/** When it resolves, the file ends at this point and all of it is on disk. @throws what the disk says; it may be tried again. */
export async function mendLog({ files, path, point, isSuspect }: FailedLog): Promise<void> {
  const file = await files.open(path, 'r+');
  try {
    await file.truncate(point.end);
    await writeAgain(file, point, isSuspect ? blockBytes : 1);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.syncFolder(dirname(path));
}

/** What of the log nobody waited for: a flush that comes then brings it to disk, whatever became of an earlier one. */
async function writeAgain(file: StoredFile, { durable, end }: LogPoint, alignBytes: number): Promise<void> {
  const from = durable - (durable % alignBytes);
  if (from < end) await file.write([await readAt(file, from, end - from)], from);
}
