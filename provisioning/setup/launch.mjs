/** Starts the program under the pinned Node and stays beside it until it ends. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { SetupError } from './setup-error.mjs';

/**
 * @typedef {object} Ending
 * @property {number | null} code
 * @property {NodeJS.Signals | null} signal
 */

/**
 * @param {string} node
 * @param {string[]} args
 * @returns {Promise<Ending>}
 * @throws {SetupError} when it cannot be started
 */
export function launch(node, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, args, { stdio: 'inherit' });
    // Ctrl-C in a terminal goes to the whole process group, so the program has it already, and npm passes its own
    // on to us besides: a second one would tell some programs to hurry. Without a terminal (CI, a supervisor) the
    // signal may have reached only npm and us; if it went to the group, the program must bear a second one.
    let interrupted = false;
    process.on('SIGINT', () => {
      if (!process.stdin.isTTY && !interrupted) child.kill('SIGINT');
      interrupted = true;
    });
    for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    child.on('error', (error) =>
      reject(
        new SetupError(
          `the pinned Node cannot be started: ${error.message}`,
          [],
          'Remove the folder node_modules and run the same command again.',
        ),
      ),
    );
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
}

/**
 * Ends this process as the program ended, so that npm and shells see the same.
 * @param {Ending} ending
 */
export function endLike({ code, signal }) {
  process.exitCode = signal === null ? (code ?? 1) : 128 + constants.signals[signal];
}
