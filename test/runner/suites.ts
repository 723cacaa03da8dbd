/** What `npm test` runs, in this order: what fails fastest and explains most comes first. */
import { availableParallelism } from 'node:os';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** A tool that looks at the sources and exits with a status. */
export interface Check {
  readonly name: string;
  readonly what: string;
  /** Arguments for the pinned Node. */
  readonly args: readonly string[];
  readonly timeoutMs: number;
}

/** A folder of test files, each run in a process of its own. */
export interface Suite {
  readonly name: string;
  readonly timeoutMs: number;
}

const check = (name: string, what: string, ...args: readonly string[]): Check => ({
  name,
  what,
  args,
  timeoutMs: 5 * MINUTE,
});

export const checks: readonly Check[] = [
  check('tsc', 'types', 'node_modules/typescript/bin/tsc', '-p', '.', '--noEmit'),
  check(
    'console-tsc',
    'types of the console',
    'node_modules/typescript/bin/tsc',
    '-p',
    'firmware/console',
    '--noEmit',
  ),
  check('eslint', 'lint', 'node_modules/eslint/bin/eslint.js', '--max-warnings=0', '.'),
  check('prettier', 'format', 'node_modules/prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.'),
];

/** Checks or files at a time: more than two gain nothing on the two cores that are promised, and starve timers there. */
export const atATime = Math.min(2, availableParallelism());

/** What one file may take; the long runs of CONTRIBUTING.md set more. */
const minutes = (usual: number): number =>
  Math.max(usual, Number(process.env['HILUM_TEST_MINUTES'] ?? 0)) * MINUTE;

export const suites: readonly Suite[] = [
  { name: 'tidy', timeoutMs: minutes(5) },
  { name: 'unit', timeoutMs: minutes(5) },
  { name: 'contract', timeoutMs: minutes(5) },
  { name: 'sim', timeoutMs: minutes(8) },
  { name: 'tpm', timeoutMs: minutes(5) },
  { name: 'integration', timeoutMs: minutes(5) },
  { name: 'e2e', timeoutMs: minutes(8) },
];
