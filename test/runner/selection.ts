/** What the command line of `npm test` asks for: `npm test -- unit dimse` runs the unit tests whose name has "dimse". */
import { checks, suites } from './suites.ts';
import type { Check, Suite } from './suites.ts';

export interface Selection {
  readonly checks: readonly Check[];
  readonly suites: readonly Suite[];
  /** A file is run if its path holds one of these; all are, if there is none. */
  readonly fileParts: readonly string[];
  /** Passed on to node:test. */
  readonly nodeOptions: readonly string[];
}

/**
 * Words are `static` (all checks), the name of a check or of a suite, or a part of a file's path; options that
 * begin with `--test-` are node:test's. No word selects everything.
 */
export function selectionOf(words: readonly string[]): Selection {
  const nodeOptions = words.filter((word) => word.startsWith('--test-'));
  const plain = words.filter((word) => !word.startsWith('--test-'));
  const namedChecks = checks.filter(({ name }) => plain.includes(name) || plain.includes('static'));
  const namedSuites = suites.filter(({ name }) => plain.includes(name));
  const names = ['static', ...checks.map(({ name }) => name), ...suites.map(({ name }) => name)];
  const fileParts = plain.filter((word) => !names.includes(word));

  const everything = plain.length === 0;
  const onlyFileParts = namedChecks.length === 0 && namedSuites.length === 0;
  return {
    checks: everything ? checks : namedChecks,
    suites: everything || onlyFileParts ? suites : namedSuites,
    fileParts,
    nodeOptions,
  };
}
