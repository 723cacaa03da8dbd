/**
 * The file in which a log is begun anew, `<log>.spare`, until it takes the log's name. What it holds counts for
 * nothing. A log that keeps a spare changes places with it: no file is made and none is removed, so that a full disk
 * does not matter. Between the two the former log is called `<log>.old`.
 */
import { AppError } from '../errors.ts';
import type { FileSystem, StoredFile } from './file-system.ts';
import { damagedLogsMax } from './limits.ts';

/** The spare, kept from before or new and empty. */
export async function openSpare(files: FileSystem, log: string): Promise<StoredFile> {
  await settleNames(files, log);
  const spare = spareOf(log);
  return files.open(spare, (await files.exists(spare)) ? 'r+' : 'w+');
}

/** Gives the spare the log's name, at once; `keepsFormer`: the file that had it becomes the spare when next needed. */
export async function putSpareInPlace(files: FileSystem, log: string, keepsFormer: boolean): Promise<void> {
  if (keepsFormer) await files.link(log, formerOf(log));
  await files.rename(spareOf(log), log);
}

export async function removeSpare(files: FileSystem, log: string): Promise<void> {
  await files.remove(spareOf(log));
}

/**
 * Gives a damaged log a second name beside it, `<log>.damaged-1` and so on: it shows how this box has voted, and nothing
 * of it is to be lost. @throws AppError STORE_FAILED if there are too many already: that disk is not to be trusted.
 */
export async function nameAside(files: FileSystem, log: string): Promise<void> {
  for (let number = 1; number <= damagedLogsMax; number++) {
    const aside = `${log}.damaged-${number}`;
    if (!(await files.exists(aside))) return files.link(log, aside);
    // Named already, before a crash.
    if (await files.isSameFile(log, aside)) return;
  }
  throw new AppError('STORE_FAILED', `${log} was damaged ${damagedLogsMax} times before`);
}

/** Finishes, or takes back, a change of places. */
async function settleNames(files: FileSystem, log: string): Promise<void> {
  const former = formerOf(log);
  if (!(await files.exists(former))) return;
  // A second name of the log itself: its spare had not taken its place. Never to be written as a spare.
  const isLog = (await files.exists(log)) && (await files.isSameFile(log, former));
  if (isLog || (await files.exists(spareOf(log)))) await files.remove(former);
  else await files.rename(former, spareOf(log));
}

function spareOf(log: string): string {
  return `${log}.spare`;
}

function formerOf(log: string): string {
  return `${log}.old`;
}
