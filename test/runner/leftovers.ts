/**
 * Processes that a test file leaves behind. Each file runs with a mark in its environment, which its children
 * inherit even when they make themselves daemons, so that they can be found in /proc.
 */
import { readFile, readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export const RUN_MARK = 'HILUM_TEST_RUN';

export interface Leftover {
  readonly pid: number;
  readonly command: string;
}

/** A process may end while we look at it, and those of other users cannot be read: both are not ours. */
async function readProc(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return '';
    throw error;
  }
}

async function markedProcesses(run: string): Promise<Leftover[]> {
  const found: Leftover[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await readProc(`/proc/${name}/environ`);
    if (!environment.split('\0').includes(`${RUN_MARK}=${run}`)) continue;
    const command = (await readProc(`/proc/${name}/cmdline`)).replaceAll('\0', ' ').trim();
    // A zombie has an empty command line and has ended.
    if (command !== '') found.push({ pid: Number(name), command });
  }
  return found;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It ended in the meantime, which is what we want.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Waits for the children of an ended test file to end, and kills those that do not.
 * @param graceMs how long an orderly end may take
 * @returns those that had to be killed
 */
export async function endLeftovers(run: string, graceMs: number): Promise<readonly Leftover[]> {
  const deadline = performance.now() + graceMs;
  let left = await markedProcesses(run);
  while (left.length > 0 && performance.now() < deadline) {
    await sleep(50);
    left = await markedProcesses(run);
  }
  for (const { pid } of left) kill(pid);
  return left;
}
