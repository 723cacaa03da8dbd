import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ValidatorWorldOptions } from './validator-world.ts';
import { runValidatorWorld } from './validator-world.ts';

/** Seeds per kind of world; `HILUM_SIM_SEEDS=500` runs longer, `HILUM_SIM_FIRST_SEED=5000` begins elsewhere. */
const seeds = Math.ceil(Number(process.env['HILUM_SIM_SEEDS'] ?? 8) / 4);
const firstSeed = Number(process.env['HILUM_SIM_FIRST_SEED'] ?? 1);

for (const { validators, equivocators } of [
  { validators: 4, equivocators: 0 },
  { validators: 4, equivocators: 1 },
  { validators: 7, equivocators: 2 },
]) {
  test(`${validators} whole validators, ${equivocators} of them equivocating, agree and go on`, async (t) => {
    let crashes = 0;
    let transactions = 0;
    const accused = new Set<string>();
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      const options: ValidatorWorldOptions = {
        seed,
        validators,
        equivocators,
        faultyMs: 60_000,
        calmMs: 30_000,
      };
      const result = await runValidatorWorld(options);
      const name = `seed ${seed}, ${validators} validators, ${equivocators} equivocators`;
      assert.deepEqual(result.violations, [], name);
      const [least, greatest] = result.heightsAtEnd;
      assert.ok(least > result.heightAfterFaults, `no progress: ${name}`);
      assert.ok(greatest - least <= 1, `heights ${least} and ${greatest} at the end: ${name}`);
      assert.equal((await runValidatorWorld(options)).traceHash, result.traceHash, `trace differs: ${name}`);
      crashes += result.crashes;
      transactions += result.transactionsFinal;
      for (const id of result.accused) accused.add(id);
    }
    t.diagnostic(
      `seeds ${firstSeed} to ${firstSeed + seeds - 1}: ${crashes} crashes, ${transactions} final transactions`,
    );
    assert.ok(crashes > 0 && transactions > seeds, 'the worlds are neither quiet nor dead');
    assert.equal(accused.size, equivocators, 'equivocators are found');
  });
}
