/** Seeds that once failed, with what they had found. They are run with every `npm test`. */
import type { SeedRun } from './seed-run.ts';

export interface Regression extends SeedRun {
  readonly found: string;
}

export const regressions: readonly Regression[] = [
  {
    mode: 'changes',
    seed: 177,
    found: 'a vote for a block that had become final by catching up, whose bytes were at hand no more',
  },
];
