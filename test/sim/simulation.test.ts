/**
 * Some hundred seeds of all kinds of world, each run twice with equal traces, and those that once failed.
 * `HILUM_SIM_SEEDS=2000 HILUM_SIM_FIRST_SEED=5000` runs others; `npm run sim` says more about each.
 */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { modeNames, modeOf } from './modes.ts';
import { runSeeds } from './pool.ts';
import { regressions } from './regressions.ts';
import type { SeedRun } from './seed-run.ts';
import { Tally } from './tally.ts';

const seeds = Number(process.env['HILUM_SIM_SEEDS'] ?? 300);
const firstSeed = Number(process.env['HILUM_SIM_FIRST_SEED'] ?? 1);

async function tallyOf(runs: Iterable<SeedRun, undefined>): Promise<Tally> {
  const tally = new Tally();
  await runSeeds(runs, {
    threads: Math.min(2, availableParallelism()),
    onResult: (result) => {
      tally.add(result);
      return 'go on';
    },
  });
  return tally;
}

function* inTurn(): Generator<SeedRun, undefined> {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) yield { mode: modeOf(seed), seed };
  return undefined;
}

test(`${seeds} seeds, from ${firstSeed} on: no rule is broken, and nothing is left to chance`, async (t) => {
  const tally = await tallyOf(inTurn());
  for (const line of tally.lines()) t.diagnostic(line);
  assert.deepEqual(tally.failed, []);
  assert.equal(tally.seeds, seeds);
  // The worlds are neither quiet nor dead, and their liars lie.
  for (const mode of modeNames) assert.ok(tally.figure(mode, 'blocks') > 0, mode);
  for (const mode of ['nodes', 'byzantine', 'twins', 'blackout'])
    assert.ok(tally.figure(mode, 'crashes') > 0, mode);
  for (const figure of ['forks', 'guilty']) assert.ok(tally.figure('forks', figure) > 0, figure);
  for (const figure of ['snapshotsTaken', 'pruned']) assert.ok(tally.figure('snapshots', figure) > 0, figure);
  // No restart order can be made where those who held the last block are those who lost their logs: a rare case.
  assert.ok(tally.figure('restarts', 'lost') <= Math.ceil(seeds / 100), 'restarts');
  assert.ok(tally.figure('coreTwins', 'guilty') > 0, 'coreTwins');
});

test('seeds that once failed do not fail again', async () => {
  const runs = regressions.map(({ mode, seed }) => ({ mode, seed }));
  assert.deepEqual((await tallyOf(runs.values())).failed, []);
});
