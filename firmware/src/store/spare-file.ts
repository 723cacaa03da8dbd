/**
 * The file in which a log is begun anew, `<log>.spare`, until it takes the log's name. What it holds counts for
 * nothing. A log that keeps a spare changes places with it: no file is made and none is removed, so that a full disk
 * does not matter. Between the two the former log is called `<log>.old`.
 */
import { existsSync } from 'node:fs';
import { link, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';

/** The spare, kept from before or new and empty. */
export async function openSpare(log: string): Promise<FileHandle> {
  await settleNames(log);
  const spare = spareOf(log);
  return existsSync(spare) ? open(spare, 'r+') : open(spare, 'w+', 0o600);
}

/** Gives the spare the log's name, at once; `keepsFormer`: the file that had it becomes the spare when next needed. */
export async function putSpareInPlace(log: string, keepsFormer: boolean): Promise<void> {
  if (keepsFormer) await link(log, formerOf(log));
  await rename(spareOf(log), log);
}

export async function removeSpare(log: string): Promise<void> {
  await rm(spareOf(log), { force: true });
}

/** Finishes, or takes back, a change of places. */
async function settleNames(log: string): Promise<void> {
  const former = formerOf(log);
  if (!existsSync(former)) return;
  // A second name of the log itself: its spare had not taken its place. Never to be written as a spare.
  const isLog = existsSync(log) && (await stat(log)).ino === (await stat(former)).ino;
  if (isLog || existsSync(spareOf(log))) await rm(former);
  else await rename(former, spareOf(log));
}

function spareOf(log: string): string {
  return `${log}.spare`;
}

function formerOf(log: string): string {
  return `${log}.old`;
}
