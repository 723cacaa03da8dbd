/** Ends a swtpm that nobody looks after: after a crash of its parent, or found at the next start. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SimulatorProcess } from '../broker/operations.ts';
import { removeSocketFolder } from './sockets.ts';

export const pidFileName = 'swtpm.pid';

function isMissing(failure: unknown): boolean {
  const code = (failure as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ESRCH';
}

/** True if the process is a swtpm with this state folder: process ids are used again. Linux only, as swtpm here. */
function isSimulator(pid: number, stateFolder: string): boolean {
  let commandLine: string;
  try {
    commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch (failure) {
    if (isMissing(failure)) return false;
    throw failure;
  }
  const words = commandLine.split('\0');
  return words[0] === 'swtpm' && words.includes(stateArgument(stateFolder));
}

/** True once the process has given up its files and locks: it is gone, or waits for its parent to take note (proc(5)). */
export function hasExited(pid: number): boolean {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (failure) {
    if (isMissing(failure)) return true;
    throw failure;
  }
  const state = status.charAt(status.lastIndexOf(')') + 2);
  return state === 'Z' || state === 'X';
}

/** The option by which a swtpm is told its state folder, and recognised. */
export function stateArgument(stateFolder: string): string {
  return `dir=${stateFolder},mode=0600`;
}

/** Its state survives: swtpm replaces its state file as a whole. @returns false if it did not run any more. */
export function killSimulator({ pid, stateFolder, socketFolder }: SimulatorProcess): boolean {
  const runs = isSimulator(pid, stateFolder);
  if (runs) process.kill(pid, 'SIGKILL');
  rmSync(join(stateFolder, pidFileName), { force: true });
  removeSocketFolder(socketFolder, stateFolder);
  return runs;
}

/** The process id that a swtpm of this folder wrote, if it wrote one. */
export function recordedPid(stateFolder: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(join(stateFolder, pidFileName), 'utf8');
  } catch (failure) {
    if (isMissing(failure)) return undefined;
    throw failure;
  }
  const pid = Number(text.trim());
  return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
}
