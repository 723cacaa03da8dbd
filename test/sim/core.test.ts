import assert from 'node:assert/strict';
import { test } from 'node:test';
import { core, mutant } from './core-mutants.ts';
import type { WorldOptions, WorldResult } from './core-world.ts';
import { runWorld } from './core-world.ts';

/** Seeds per kind of world; `HILUM_SIM_SEEDS=2000` runs longer, `HILUM_SIM_FIRST_SEED=5000` begins elsewhere. */
const seeds = Number(process.env['HILUM_SIM_SEEDS'] ?? 8);
const firstSeed = Number(process.env['HILUM_SIM_FIRST_SEED'] ?? 1);

const base = { core, faultyMs: 4000, calmMs: 1500 };

function seedsOf(count: number): number[] {
  return Array.from({ length: count }, (_, i) => firstSeed + i);
}

function describe(options: WorldOptions): string {
  return `seed ${options.seed}, ${options.validators} validators, ${options.twins ?? 0} twins`;
}

/** Runs twice: the trace must be equal, no rule broken, and the calm time must bring final blocks. */
function checkWorld(options: WorldOptions): WorldResult {
  const result = runWorld(options);
  assert.deepEqual(result.violations, [], describe(options));
  assert.ok(result.finalViewAtEnd > result.finalViewAfterFaults, `no progress: ${describe(options)}`);
  assert.equal(runWorld(options).traceHash, result.traceHash, `trace differs: ${describe(options)}`);
  return result;
}

for (const { validators, twins } of [
  { validators: 4, twins: 0 },
  { validators: 7, twins: 0 },
  { validators: 4, twins: 1 },
  { validators: 7, twins: 2 },
  { validators: 1, twins: 0 },
  { validators: 5, twins: 1 },
]) {
  test(`${validators} validators of which ${twins} contradict themselves agree and go on, ${seeds} seeds`, (t) => {
    let blocks = 0;
    const accused = new Set<number>();
    for (const seed of seedsOf(seeds)) {
      // A validator alone makes blocks as fast as it can write: a shorter time shows as much.
      const faultyMs = validators === 1 ? 1000 : base.faultyMs;
      const result = checkWorld({ ...base, faultyMs, seed, validators, twins });
      blocks += result.blocksFinal;
      for (const validator of result.accused) accused.add(validator);
    }
    t.diagnostic(`seeds ${firstSeed} to ${firstSeed + seeds - 1}, ${blocks} final blocks`);
    assert.ok(blocks > seeds, 'the worlds finalise blocks');
    assert.equal(accused.size, twins, 'twins are found');
  });
}

/** True if some seed breaks a rule. */
function isCaught(options: Omit<WorldOptions, 'seed'>, seedsMax: number): boolean {
  return seedsOf(seedsMax).some((seed) => runWorld({ ...options, seed }).violations.length > 0);
}

test('the harness notices a quorum that is one too small', async () => {
  const faulty = await mutant({
    file: 'types.ts',
    from: 'return validators - faultsTolerated(validators);',
    to: 'return validators - faultsTolerated(validators) - 1;',
  });
  assert.ok(isCaught({ ...base, core: faulty, validators: 4, twins: 1 }, 100));
});

test('the harness notices a missing guard between nullify and finalize', async () => {
  const faulty = await mutant({
    file: 'simplex.ts',
    from: 'if (view.own.nullify !== undefined || view.own.finalize !== undefined) return;',
    to: 'if (view.own.finalize !== undefined) return;',
  });
  assert.ok(isCaught({ ...base, core: faulty, validators: 4 }, 100));
});

test('the harness notices votes that are sent before they are on disk', () => {
  assert.ok(isCaught({ ...base, validators: 4, sendBeforePersist: true }, 100));
});

test('the harness notices that duplicates of a vote are counted', async () => {
  const faulty = await mutant({
    file: 'simplex.ts',
    from: 'if (!recordVote(transition, vote)) return;',
    to: `const known = recordVote(transition, vote); if (!known) { const other = [0, 1, 2, 3].find((v) => !viewOf(transition.state, vote.view).votes[vote.kind].has(v)); if (other !== undefined) recordVote(transition, { ...vote, validator: other }); }`,
  });
  assert.ok(isCaught({ ...base, core: faulty, validators: 4 }, 100));
});
