/** The console's pages, built when their sources changed since the last build. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutRoot, consoleDist, readStamp, writeStamp } from './checkout.mjs';
import { SetupError } from './setup-error.mjs';
import { runTool } from './tool.mjs';

// What can end up in the bundle: the console, the contract that it imports, and the packages.
const sources = [join('firmware', 'console'), join('firmware', 'src', 'http'), join('firmware', 'wallet')];

function filesUnder(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (path === consoleDist) return [];
      return entry.isDirectory() ? filesUnder(path) : [path];
    });
}

/** Contents rather than dates: a checkout of an older version must build anew too. */
function fingerprint() {
  const hash = createHash('sha256');
  const files = sources
    .map((folder) => join(checkoutRoot, folder))
    .filter((folder) => existsSync(folder))
    .flatMap(filesUnder);
  for (const path of [...files, join(checkoutRoot, 'package-lock.json')]) {
    hash.update(`${path.slice(checkoutRoot.length)}\0`).update(readFileSync(path));
  }
  return hash.digest('hex');
}

/**
 * @param {string} node the pinned Node
 * @param {ReturnType<typeof import('./progress.mjs').createReporter>} reporter
 * @throws {SetupError} when the build fails, with its last lines
 */
export async function ensureConsole(node, reporter) {
  const stamp = fingerprint();
  if (existsSync(consoleDist) && readStamp('console') === stamp) return;

  reporter.heading('Console:');
  await reporter.step('build the pages', async (hint) => {
    const result = await runTool(
      node,
      [join(checkoutRoot, 'provisioning', 'setup', 'build-console.ts'), consoleDist],
      {
        cwd: checkoutRoot,
        onLine: hint,
      },
    );
    if (result.code === 0) return;
    throw new SetupError(
      'the console could not be built; the build said:',
      result.lastLines,
      'If you changed firmware/console, correct it; otherwise restore that folder and run the same command again.',
    );
  });
  writeStamp('console', stamp);
}
