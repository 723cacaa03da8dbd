/** Where swtpm's Unix sockets lie: in the state folder if the address fits, else in a short private folder. */
import { mkdtempSync, readFileSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { socketPathBytesMax } from '../limits.ts';

const commandSocketName = 'tpm.sock';
/** tcti-swtpm finds the control socket by this ending (tcti-swtpm.c). */
const controlEnding = '.ctrl';
/** Remembers a folder outside the state folder, so that the next start removes what a power cut left. */
const recordName = 'socket-folder';
const folderPrefix = 'hilum-tpm-';

export function commandSocket(folder: string): string {
  return join(folder, commandSocketName);
}

export function controlSocket(folder: string): string {
  return commandSocket(folder) + controlEnding;
}

export function makeSocketFolder(stateFolder: string): string {
  if (Buffer.byteLength(controlSocket(stateFolder)) <= socketPathBytesMax) return stateFolder;
  const folder = mkdtempSync(join(tmpdir(), folderPrefix)); // mode 0700
  writeFileSync(join(stateFolder, recordName), folder, { mode: 0o600 });
  return folder;
}

/** The folder in which an earlier swtpm of this state folder had its sockets. */
export function recordedSocketFolder(stateFolder: string): string {
  try {
    return readFileSync(join(stateFolder, recordName), 'utf8');
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'ENOENT') return stateFolder;
    throw failure;
  }
}

/** Removes the sockets, and the folder if it is not the state folder. Touches no other file. */
export function removeSocketFolder(folder: string, stateFolder: string): void {
  rmSync(commandSocket(folder), { force: true });
  rmSync(controlSocket(folder), { force: true });
  if (folder === stateFolder) return;
  try {
    rmdirSync(folder);
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code !== 'ENOENT') throw failure;
  }
  rmSync(join(stateFolder, recordName), { force: true });
}
