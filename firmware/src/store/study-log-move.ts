/** A study's log takes the place of a spare: from then on its space is there before its frames come. */
import { dirname } from 'node:path';
import { readAt } from './file-bytes.ts';
import type { FileSystem, StoredFile } from './file-system.ts';
import type { SpareLog } from './spare-logs.ts';
import { encodeLogHeader, logHeaderBytes, parseLogHeader } from './study-log-format.ts';

export interface MovingLog {
  readonly files: FileSystem;
  readonly path: string;
  readonly file: StoredFile;
  /** What stands before it moves, and was flushed. */
  readonly end: number;
}

/**
 * What the log holds is written to the spare, with `pieces` behind it, and flushed; only then the spare gets the log's
 * name, in one step. So whichever of the two files a power cut leaves under that name has all that was acknowledged.
 * The former file is closed, and gone. @throws what the disk says: whichever file has the name then has the log as it was.
 */
export async function moveInto(
  spare: SpareLog,
  log: MovingLog,
  pieces: readonly Uint8Array[],
): Promise<void> {
  const { files, path, file } = log;
  try {
    await copyInto(spare, log, pieces);
  } catch (cause) {
    // If this fails too, the next start removes it.
    await Promise.allSettled([spare.file.close(), files.remove(spare.path)]);
    throw cause;
  }
  try {
    await files.rename(spare.path, path);
    await files.syncFolder(dirname(path));
  } catch (cause) {
    await spare.file.close();
    throw cause;
  }
  // Nothing hangs on it any more.
  await Promise.allSettled([file.close()]);
}

async function copyInto(
  spare: SpareLog,
  { file, path, end }: MovingLog,
  pieces: readonly Uint8Array[],
): Promise<void> {
  const before = await readAt(file, 0, end);
  const header = parseLogHeader(before.subarray(0, logHeaderBytes));
  if (header === undefined) throw new Error(`${path} does not begin as a log any more`);
  const prepared = encodeLogHeader({ ...header, preparedBytes: spare.bytes });
  await spare.file.write([prepared, before.subarray(logHeaderBytes), ...pieces], 0);
  await spare.file.datasync();
}
