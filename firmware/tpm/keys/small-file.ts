/** Files of a few kilobytes that are read and replaced as a whole. */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '../../src/errors.ts';

/** @returns undefined if there is no such file. @throws AppError STORE_FAILED; STORE_CORRUPT if it is longer. */
export async function readSmallFile(file: string, bytesMax: number): Promise<Uint8Array | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new AppError('STORE_FAILED', `cannot read ${file}`, { cause });
  }
  if (bytes.length > bytesMax)
    throw new AppError('STORE_CORRUPT', `${file} is longer than ${bytesMax} bytes`);
  return bytes;
}

/**
 * On disk as a whole or not at all: the content is synced before it gets its name, the name before this resolves.
 * @throws AppError STORE_FAILED.
 */
export async function replaceFile(file: string, content: Uint8Array): Promise<void> {
  const draft = `${file}.tmp`;
  try {
    await rm(draft, { force: true }); // of a power cut
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
    const folder = await open(dirname(file), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (cause) {
    throw new AppError('STORE_FAILED', `cannot write ${file}`, { cause });
  }
}
