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
  {
    mode: 'epochs',
    seed: 54,
    found:
      'a flipped bit of a vote whose frame began with the last byte of a sector: cut off as if it were torn',
  },
  {
    mode: 'forks',
    seed: 2019,
    found:
      'f+1 liars had two blocks notarized for one view and nobody went on: a rule of the harness, which asked for progress',
  },
  {
    mode: 'restarts',
    seed: 13,
    found:
      'a box that had asked silent ones for blocks did not ask who connected since: the boxes were in different epochs',
  },
  {
    mode: 'snapshots',
    seed: 63,
    found:
      'several asked for the way of handovers at once, and it passed over an epoch: blocks behind it were dropped',
  },
  {
    mode: 'restarts',
    seed: 32696,
    found:
      'boxes had the newest notarized block and not the one before it, and were ordered to go on from there',
  },
  {
    mode: 'changes',
    seed: 34447,
    found:
      'a box refused what it judged while it was catching up: a rule of the harness, which looked at its head later',
  },
  {
    mode: 'snapshots',
    seed: 37821,
    found: 'a record of a long log was read while its piece was closed: a fault of the disk that was none',
  },
  {
    mode: 'restarts',
    seed: 101108,
    found: 'a box had voted for a block whose parent it had in memory alone: a rule of the harness',
  },
  {
    mode: 'changes',
    seed: 201535,
    found: 'a box that caught up waited 45 s for the second answer of a peer that had fallen silent',
  },
  {
    mode: 'restarts',
    seed: 302660,
    found:
      'a box waited 45 s for answers that were lost in a cut network: the members asked too soon, in the harness',
  },
];
