/** Seeds that once failed, with what they had found. They are run with every `npm test`. */
import type { SeedRun } from './seed-run.ts';

export interface Regression extends SeedRun {
  readonly found: string;
}

export const regressions: readonly Regression[] = [
  {
    mode: 'changes',
    seed: 177,
    found: 'a proposal in a view that catching up had decided: the block was at hand no more',
  },
];
