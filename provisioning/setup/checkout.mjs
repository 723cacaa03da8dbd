/** Paths of the checkout that the set-up touches. All absolute. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const checkoutRoot = fileURLToPath(new URL('../..', import.meta.url));
export const nodeModules = join(checkoutRoot, 'node_modules');
export const consoleDist = join(checkoutRoot, 'firmware', 'console', 'dist');

// Stamps live inside node_modules, so that removing that folder makes the set-up begin anew.
const stampPath = (name) => join(nodeModules, '.hilum-setup', `${name}.stamp`);

/** @returns {string | undefined} what the last completed step noted, or undefined if it never completed */
export function readStamp(name) {
  try {
    return readFileSync(stampPath(name), 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Notes that a step completed. Written last, so that an interrupted step is done again. */
export function writeStamp(name, content) {
  mkdirSync(dirname(stampPath(name)), { recursive: true });
  writeFileSync(stampPath(name), content);
}
