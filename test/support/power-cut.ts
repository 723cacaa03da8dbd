/** The power goes at a moment that one seed repeats: a process and all that it has started are gone at once. */
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';

const seed = process.env['HILUM_TPM_POWER_CUT_SEED'] ?? 'hilum';

/** How many cuts a story has: HILUM_TPM_POWER_CUTS, or so many. */
export function cutsUnlessTold(count: number): number {
  return Number(process.env['HILUM_TPM_POWER_CUTS'] ?? count);
}

/** 0 to 1, the same for one seed (HILUM_TPM_POWER_CUT_SEED). */
export function moment(number: number): number {
  return createHash('sha256').update(`${seed} ${number}`).digest().readUInt32BE() / 2 ** 32;
}

/** All of it at once: no process gets to clean up after another. One that has ended by itself stays so. */
export async function cutPower(box: ChildProcess): Promise<void> {
  if (box.exitCode !== null || box.signalCode !== null) return;
  const pid = box.pid as number;
  const ended = once(box, 'exit');
  process.kill(pid, 'SIGSTOP');
  for (const child of await childrenOf(pid)) {
    try {
      process.kill(child, 'SIGKILL');
    } catch (failure) {
      // It ended by itself meanwhile: the set-up of a TPM starts many short programs.
      if ((failure as NodeJS.ErrnoException).code !== 'ESRCH') throw failure;
    }
  }
  process.kill(pid, 'SIGKILL');
  await ended;
}

/** None if it has ended by itself in this moment: what it started it has then stopped. */
async function childrenOf(pid: number): Promise<readonly number[]> {
  let children: string;
  try {
    children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  } catch (failure) {
    const { code = '' } = failure as NodeJS.ErrnoException;
    if (['ENOENT', 'ESRCH'].includes(code)) return [];
    throw failure;
  }
  return children.trim().split(' ').filter(Boolean).map(Number);
}
