/** What can be run, and what each needs. */
import { join } from 'node:path';
import { checkoutRoot } from './checkout.mjs';
import { SetupError } from './setup-error.mjs';

/**
 * @typedef {object} Target
 * @property {string} script what the pinned Node runs
 * @property {string[]} args arguments before those of the command line
 * @property {('run' | 'test' | 'bench')[]} debianPackagesFor which rows of the Debian package table it needs
 * @property {boolean} console whether the console's pages must be built
 */

const script = (...path) => join(checkoutRoot, ...path);

/** @type {Record<string, Target>} */
export const targets = {
  start: {
    script: script('provisioning', 'demo', 'demo.ts'),
    args: [],
    debianPackagesFor: ['run'],
    console: true,
  },
  test: { script: script('test', 'run.ts'), args: [], debianPackagesFor: ['run', 'test'], console: true },
  bench: {
    script: script('test', 'bench', 'bench.ts'),
    args: [],
    debianPackagesFor: ['run', 'bench'],
    console: true,
  },
  sim: { script: script('test', 'sim', 'main.ts'), args: [], debianPackagesFor: [], console: false },
  model: { script: script('test', 'model', 'main.ts'), args: [], debianPackagesFor: [], console: false },
  wallet: {
    script: script('provisioning', 'wallet', 'cli.ts'),
    args: [],
    debianPackagesFor: [],
    console: false,
  },
  root: {
    script: script('provisioning', 'root', 'cli.ts'),
    args: [],
    debianPackagesFor: [],
    console: false,
  },
  format: {
    script: script('node_modules', 'prettier', 'bin', 'prettier.cjs'),
    args: ['--write', '.'],
    debianPackagesFor: [],
    console: false,
  },
  lint: { script: script('test', 'run.ts'), args: ['static'], debianPackagesFor: [], console: false },
};

/** @returns {Target} */
export function targetNamed(name) {
  if (Object.hasOwn(targets, name ?? '')) return targets[name];
  throw new SetupError(
    name === undefined ? 'nothing to run was named' : `there is nothing to run by the name of ${name}`,
    [],
    `Use one of: npm start, npm test, npm run bench, npm run sim, npm run model, npm run wallet, npm run root, npm run lint, npm run format.`,
  );
}
