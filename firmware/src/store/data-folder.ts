/** The data folder of a box: made, checked and locked before anything else touches it. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, constants, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '../errors.ts';
import { readWholeFile } from './file-bytes.ts';
import { nodeFileSystem, type FileSystem } from './file-system.ts';
import { wrapKey, unwrapKey } from './key-wrap.ts';

const lockName = 'hilum.pid';

/**
 * What no two processes of one boot share: the id with the time at which it was started (proc(5), field 22). An id
 * alone is given again, so that a killed box could seem to live on in another program. Undefined if there is none.
 */
async function processName(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field, the command in parentheses, may hold blanks and parentheses itself.
    const [, startedAt] = /^.*\) (?:\S+ ){19}(\S+)/s.exec(stat) ?? [];
    return startedAt === undefined ? undefined : `${pid} ${startedAt}`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}

/**
 * On disk under its name: a power cut must not take the folder with all that is acknowledged in it. Node's own recursive
 * mkdir never ends where a folder that is there answers ENOENT, as those below /proc do.
 */
async function makeFolder(folder: string): Promise<void> {
  if (existsSync(folder)) return;
  await makeFolder(dirname(folder));
  await mkdir(folder, { mode: 0o700 });
  await nodeFileSystem.syncFolder(dirname(folder));
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
    const holder = existsSync(lockPath) ? (await readFile(lockPath, 'utf8')).trim() : '';
    const pid = Number.parseInt(holder, 10);
    const own = await processName(process.pid);
    if (Number.isInteger(pid) && holder !== own && (await processName(pid)) === holder) {
      throw new AppError('DATA_FOLDER_IN_USE', `The data folder ${folder} is in use by process ${pid}.`);
    }
    await writeFile(lockPath, `${own ?? process.pid}\n`, { mode: 0o600 });
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('DATA_FOLDER_UNWRITABLE', `The data folder ${folder} cannot be written.`, { cause });
  }
  return () => rm(lockPath, { force: true });
}

/** Writes a file so that after a power cut it is either the old one or the new one. */
export async function writeFileAtomically(
  folder: string,
  name: string,
  bytes: Uint8Array,
  files: FileSystem = nodeFileSystem,
): Promise<void> {
  const partPath = join(folder, `${name}.part`);
  const file = await files.open(partPath, 'w+');
  try {
    await file.write([bytes], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(partPath, join(folder, name));
  await files.syncFolder(folder);
}

/** The data key of this name, made and wrapped under the box key at first use. @throws AppError STORE_CORRUPT. */
export async function dataKey(
  folder: string,
  name: string,
  boxKey: Uint8Array,
  files: FileSystem = nodeFileSystem,
): Promise<Uint8Array> {
  const file = `${name}.key`;
  const path = join(folder, file);
  if (await files.exists(path)) return unwrapKey(boxKey, await readWholeFile(files, path), name);
  const key = randomBytes(32);
  await writeFileAtomically(folder, file, wrapKey(boxKey, key, name), files);
  return key;
}
