/**
 * Set-up, then the program: checks what the target needs, installs what is missing, and hands over to the pinned
 * Node. What is in place already is only looked at, so that a second start costs some tens of milliseconds.
 */
import { ensureConsole } from './console-build.mjs';
import { checkSystem, ensureDebianPackages } from './debian-packages.mjs';
import { ensureNpmPackages } from './npm-packages.mjs';
import { ensurePinnedNode } from './pinned-node.mjs';
import { endLike, launch } from './launch.mjs';
import { createReporter } from './progress.mjs';
import { SetupError } from './setup-error.mjs';
import { targetNamed } from './targets.mjs';

/**
 * Ends the process: exit status of the program, or 1 with one clear error when the set-up failed.
 * @param {string[]} argv target name, then the arguments of the program
 */
export async function main(argv) {
  const reporter = createReporter(process.stderr);
  // An interrupt ends the set-up between two steps or with the tool that is running, never the process at once:
  // what a step changed for its own time is put back first.
  const interrupt = new AbortController();
  let interruptedBy;
  const note = (signal) => {
    interruptedBy ??= signal;
    interrupt.abort();
  };
  process.on('SIGINT', note).on('SIGTERM', note);
  try {
    const target = targetNamed(argv[0]);
    if (target.debianPackagesFor.length > 0) checkSystem(target.debianPackagesFor);
    await ensureNpmPackages(reporter, interrupt.signal);
    interrupt.signal.throwIfAborted();
    const node = ensurePinnedNode();
    await ensureDebianPackages(target.debianPackagesFor, reporter);
    interrupt.signal.throwIfAborted();
    if (target.console) await ensureConsole(node, reporter);
    interrupt.signal.throwIfAborted();
    reporter.finish();
    process.off('SIGINT', note).off('SIGTERM', note);
    endLike(await launch(node, [target.script, ...target.args, ...argv.slice(1)]));
  } catch (error) {
    if (interruptedBy) return endLike({ code: null, signal: interruptedBy });
    if (!(error instanceof SetupError)) throw error;
    reporter.fail(error);
    process.exitCode = 1;
  }
}
