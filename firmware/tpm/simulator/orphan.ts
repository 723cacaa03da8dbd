/** Ends a swtpm that nobody looks after: after a crash of its parent, or found at the next start. */
import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../src/errors.ts';
import type { SimulatorProcess } from '../broker/messages.ts';
import { simulatorPollMs, simulatorStopMsMax } from '../limits.ts';
import { removeSocketFolder } from './sockets.ts';

/** swtpm locks this file in its state folder for as long as it runs, so that two never share one state. */
const lockName = '.lock';

/** What `read` gives, or undefined for a file or process that is gone. */
function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (failure) {
    const code = (failure as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw failure;
  }
}

/** True if the process is a swtpm that was told this folder: process ids are used again. */
function isSimulator(pid: number, folder: string): boolean {
  const commandLine = unlessGone(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  const [program = '', ...words] = (commandLine ?? '').split('\0');
  return basename(program) === 'swtpm' && words.some((word) => word.includes(folder));
}

/** The process that holds the folder's lock (proc(5), /proc/locks: the fifth field; the sixth ends with the inode). */
function lockHolder(folder: string): number | undefined {
  const inode = unlessGone(() => statSync(join(folder, lockName)).ino);
  if (inode === undefined) return undefined;
  const lines = readFileSync('/proc/locks', 'utf8').split('\n');
  const fields = lines.map((line) => line.split(/\s+/)).find((parts) => parts[5]?.endsWith(`:${inode}`));
  return fields && Number(fields[4]);
}

/**
 * Ends a swtpm that still works on this folder, and waits until it has let it go, which takes a killed process a
 * moment. Its state survives that as a power cut.
 * @throws AppError TPM_FAILED if something else holds the folder.
 */
export async function endSimulatorsOf(folder: string): Promise<void> {
  const deadline = performance.now() + simulatorStopMsMax;
  for (let pid = lockHolder(folder); pid !== undefined; pid = lockHolder(folder)) {
    if (performance.now() > deadline) throw new AppError('TPM_FAILED', `process ${pid} uses ${folder}`);
    if (isSimulator(pid, folder)) process.kill(pid, 'SIGKILL');
    await delay(simulatorPollMs);
  }
}

/** The end of a swtpm whose parent is gone. Synchronous: the last that a broker does. */
export function killSimulator({ pid, stateFolder, socketFolder }: SimulatorProcess): void {
  if (isSimulator(pid, stateFolder)) process.kill(pid, 'SIGKILL');
  removeSocketFolder(socketFolder, stateFolder);
}
