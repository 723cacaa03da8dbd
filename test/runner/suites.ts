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
  /** Files at a time. */
  readonly concurrency: number;
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

// More than two at a time gains nothing on the two cores that are promised, and starves timers on them.
const both = Math.min(2, availableParallelism());

export const suites: readonly Suite[] = [
  { name: 'tidy', concurrency: both, timeoutMs: 5 * MINUTE },
  { name: 'unit', concurrency: both, timeoutMs: 5 * MINUTE },
  { name: 'contract', concurrency: both, timeoutMs: 5 * MINUTE },
  { name: 'sim', concurrency: 1, timeoutMs: 5 * MINUTE },
  { name: 'integration', concurrency: 1, timeoutMs: 5 * MINUTE },
  { name: 'e2e', concurrency: 1, timeoutMs: 8 * MINUTE },
];
