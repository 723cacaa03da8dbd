/**
 * The file in which a log is begun anew, `<log>.spare`, until it takes the log's name. What it holds counts for
 * nothing. A log that keeps a spare changes places with it: no file is made and none is removed, so that a full disk
 * does not matter. Between the two the former log is called `<log>.old`.
 */
import type { FileSystem, StoredFile } from './file-system.ts';

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
