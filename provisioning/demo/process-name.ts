import { readFileSync } from 'node:fs';

/**
 * What no two processes of one boot share: the id with the time at which it was started (proc(5), field 22). An id
 * alone is given again to other programs. Undefined if there is no such process.
 */
export function processName(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, the command in parentheses, may hold blanks and parentheses itself.
    const [, state, startedAt] = /^.*\) (\S+) (?:\S+ ){18}(\S+)/s.exec(stat) ?? [];
    return startedAt === undefined || state === 'Z' ? undefined : `${pid} ${startedAt}`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}

/** The process id in such a name. */
export function pidIn(name: string): number {
  return Number.parseInt(name, 10);
}
