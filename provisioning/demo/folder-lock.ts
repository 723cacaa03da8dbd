/** One demonstration at a time has a folder: two would take each other's ports, and the second could clear the first. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pidIn, processName } from './process-name.ts';

/** Stays when the rest of the folder is cleared. */
export const lockName = 'demonstration.pid';

export class FolderInUse extends Error {
  override readonly name = 'FolderInUse';
}

/**
 * Makes the folder and locks it for this process; nothing else in it is touched. Returns what releases the lock.
 * @throws FolderInUse if another demonstration that runs has it.
 */
export async function claimFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, lockName);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  while (!(await wroteNew(path))) {
    const holder = await readHolder(path);
    if (holder !== '' && processName(pidIn(holder)) === holder) {
      throw new FolderInUse(
        `Another demonstration runs in ${folder} (process ${pidIn(holder)}): end it with Ctrl-C first. Nothing was touched.`,
      );
    }
    await rm(path, { force: true }); // its process was killed
  }
  return () => rm(path, { force: true });
}

async function wroteNew(path: string): Promise<boolean> {
  try {
    await writeFile(path, `${processName(process.pid) ?? process.pid}\n`, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function readHolder(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''; // released just now
    throw error;
  }
}
