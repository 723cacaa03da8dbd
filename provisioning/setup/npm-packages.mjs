/**
 * The pinned npm packages, exactly as package-lock.json has them. Install scripts are not run: every native
 * package that we use ships its binaries inside the package, and what is not run cannot be abused.
 */
import { createHash } from 'node:crypto';
import { chownSync, lchownSync, lstatSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { checkoutRoot, nodeModules, readStamp, writeStamp } from './checkout.mjs';
import { checkArchitecture } from './pinned-node.mjs';
import { SetupError } from './setup-error.mjs';
import { runTool } from './tool.mjs';

// `--include` overrides NODE_ENV=production and `omit` settings of the machine: the pinned Node is an optional
// package (one per architecture), the compiler and the test tools are development packages.
const npmArguments = [
  'ci',
  '--ignore-scripts',
  '--include=dev',
  '--include=optional',
  '--engine-strict=false',
  '--no-audit',
  '--no-fund',
  '--no-progress',
  '--loglevel=http',
];

/** The architecture belongs in: the lock file installs other packages on another machine. */
function wanted() {
  const lock = readFileSync(join(checkoutRoot, 'package-lock.json'));
  return `${process.platform}-${process.arch} ${createHash('sha256').update(lock).digest('hex')}\n`;
}

/** The npm that started us, else the one on the path. */
function npmCommand() {
  const started = process.env.npm_execpath;
  if (started && basename(started) === 'npm-cli.js') return [process.execPath, [started]];
  return ['npm', []];
}

/** npm as root writes files of root: in a user's checkout the user must be able to remove them. */
function giveToOwnerOfCheckout(folder, uid, gid) {
  lchownSync(folder, uid, gid);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) giveToOwnerOfCheckout(path, uid, gid);
    else if (entry.isSymbolicLink()) lchownSync(path, uid, gid);
    else chownSync(path, uid, gid);
  }
}

/**
 * @param {ReturnType<typeof import('./progress.mjs').createReporter>} reporter
 * @param {AbortSignal} signal ends npm
 * @throws {SetupError} when npm fails, with its last lines
 */
export async function ensureNpmPackages(reporter, signal) {
  const stamp = wanted();
  if (readStamp('npm-packages') === stamp) return;
  checkArchitecture();

  reporter.heading('npm packages, as pinned in package-lock.json:');
  const [command, before] = npmCommand();
  await reporter.step('npm ci', async (hint) => {
    const result = await runTool(command, [...before, ...npmArguments], {
      cwd: checkoutRoot,
      signal,
      // Hundreds of lines on requests, and on engines that the Node at hand is too old for (ours is not): a file
      // name is a good hint, and none of them explains a failure.
      onLine: (line) => {
        if (!/^npm (http|warn EBADENGINE)/i.test(line)) return true;
        hint(/([^/\s]+\.tgz)/.exec(line)?.[1] ?? '');
        return false;
      },
    });
    if (result.code === 0) return;
    throw new SetupError(
      `npm ${npmArguments.slice(0, 2).join(' ')} failed (exit status ${result.code ?? 'none'}); it said:`,
      result.lastLines,
      'Check the network and the npm settings of this machine (npm config list), then run the same command again.',
    );
  });
  const owner = lstatSync(checkoutRoot);
  writeStamp('npm-packages', stamp);
  if (process.getuid?.() === 0 && owner.uid !== 0) giveToOwnerOfCheckout(nodeModules, owner.uid, owner.gid);
}
