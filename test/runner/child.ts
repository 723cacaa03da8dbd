/** Runs one child process under a time-out in a process group of its own and keeps what it printed. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

/** Enough for every honest failure; a child that floods its output keeps its end only. */
const OUTPUT_CHARACTERS_MAX = 200_000;

export interface ChildResult {
  /** `exited 1`, `killed by SIGSEGV`, `took longer than 300 s`; undefined when all went well. */
  readonly problem: string | undefined;
  readonly output: string;
}

const running = new Set<ChildProcess>();

/** Groups of their own do not hear the terminal's Ctrl-C: whoever interrupts us ends them with this. */
export function killRunningChildren(): void {
  for (const child of running) killGroup(child);
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    // The whole group has ended already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

export function runChild(
  args: readonly string[],
  options: { readonly timeoutMs: number; readonly env: NodeJS.ProcessEnv },
): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      env: options.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    running.add(child);
    let output = '';
    const keep = (text: string): void => {
      output = (output + text).slice(-OUTPUT_CHARACTERS_MAX);
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);

    let late = false;
    const timer = setTimeout(() => {
      late = true;
      killGroup(child);
    }, options.timeoutMs);

    const settle = (): void => {
      clearTimeout(timer);
      running.delete(child);
    };
    child.on('error', (error) => {
      settle();
      reject(error);
    });
    // `exit`, not `close`: a daemon that inherited the pipes would keep them open.
    child.on('exit', (code, signal) => {
      settle();
      const problem = late
        ? `took longer than ${options.timeoutMs / 1000} s`
        : signal !== null
          ? `killed by ${signal}`
          : code !== 0
            ? `exited ${code}`
            : undefined;
      // What is still in the pipes arrives in the turns after the exit.
      setImmediate(() => setTimeout(() => resolve({ problem, output }), 20));
    });
  });
}
