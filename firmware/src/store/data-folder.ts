/** The data folder of a box: made, checked and locked before anything else touches it. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, constants, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '../errors.ts';
import { wrapKey, unwrapKey } from './key-wrap.ts';
import { syncFolder } from './object-file.ts';

const lockName = 'hilum.pid';

/** True if a process with this id lives and is a Hilum box; a stale file of a killed box is no lock. */
async function holdsLock(pid: number): Promise<boolean> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes('main.ts');
  } catch (error) {
    if (
      (error as NodeJS.ErrnoException).code === 'ENOENT' ||
      (error as NodeJS.ErrnoException).code === 'ESRCH'
    )
      return false;
    throw error;
  }
}

/** Node's own recursive mkdir never ends where a folder that is there answers ENOENT, as those below /proc do. */
async function makeFolder(folder: string): Promise<void> {
  if (existsSync(folder)) return;
  await makeFolder(dirname(folder));
  await mkdir(folder, { mode: 0o700 });
}

/**
 * Makes the folder and locks it for this process. Returns what releases the lock.
 * @throws AppError DATA_FOLDER_UNWRITABLE or DATA_FOLDER_IN_USE.
 */
export async function claimDataFolder(folder: string): Promise<() => Promise<void>> {
  const lockPath = join(folder, lockName);
  try {
    await makeFolder(folder);
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    const held = await readFile(lockPath, 'utf8').catch(() => '');
    const pid = Number.parseInt(held, 10);
    if (Number.isInteger(pid) && pid !== process.pid && (await holdsLock(pid))) {
      throw new AppError('DATA_FOLDER_IN_USE', `The data folder ${folder} is in use by process ${pid}.`);
    }
    await writeFile(lockPath, `${process.pid}\n`, { mode: 0o600 });
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('DATA_FOLDER_UNWRITABLE', `The data folder ${folder} cannot be written.`, { cause });
  }
  return () => rm(lockPath, { force: true });
}

/** Writes a file so that after a power cut it is either the old one or the new one. */
export async function writeFileAtomically(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const partPath = join(folder, `${name}.part`);
  const handle = await open(partPath, 'w', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(partPath, join(folder, name));
  await syncFolder(folder);
}

/** The data key of this name, made and wrapped under the box key at first use. @throws AppError STORE_CORRUPT. */
export async function dataKey(folder: string, name: string, boxKey: Uint8Array): Promise<Uint8Array> {
  const file = `${name}.key`;
  let wrapped: Buffer | undefined;
  try {
    wrapped = await readFile(join(folder, file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (wrapped !== undefined) return unwrapKey(boxKey, wrapped, name);
  const key = randomBytes(32);
  await writeFileAtomically(folder, file, wrapKey(boxKey, key, name));
  return key;
}
