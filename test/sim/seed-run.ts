/** One seed: run twice, since a trace that differs shows that something is left to chance. */
import { modes, type ModeName } from './modes.ts';
import type { Outcome } from './outcome.ts';

export interface SeedRun {
  readonly mode: ModeName;
  readonly seed: number;
}

export interface SeedResult extends SeedRun, Outcome {}

/** Both runs of a seed, or the first one if that fails already. */
export async function runSeed({ mode, seed }: SeedRun): Promise<SeedResult> {
  const first = await runOnce({ mode, seed });
  if (first.failures.length > 0) return first;
  const second = await runOnce({ mode, seed });
  return second.traceHash === first.traceHash
    ? first
    : { ...first, failures: ['the same seed went another way the second time'] };
}

async function runOnce({ mode, seed }: SeedRun): Promise<SeedResult> {
  return { mode, seed, ...(await modes[mode].run(seed)) };
}

/** How a person runs the seed again. */
export function commandFor({ mode, seed }: SeedRun): string {
  return `npm run sim -- --mode ${mode} --seed ${seed}`;
}
