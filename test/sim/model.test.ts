/** The Quint model of consensus (docs/consensus) and the core say the same. More of it: `npm run model`. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { parseItf, type ModelTrace } from '../model/itf.ts';
import { checkTypes, invariantHolds, runStories, tracesOf } from '../model/quint.ts';
import { firstDifference } from '../model/replay.ts';
import { broken, sound, validatorsOf, vectorFile, vectors } from '../model/walks.ts';
import type { Mutation } from './mutation.ts';

const read = async (vector: (typeof vectors)[number]): Promise<ModelTrace> =>
  parseItf(await readFile(vectorFile(vector), 'utf8'));

describe('the model', () => {
  test('type-checks, and its stories hold', async () => {
    await checkTypes();
    assert.equal(await runStories('four'), 5);
  });

  for (const each of sound) {
    test(`its invariants hold in walks through ${each.instance}`, async () => {
      assert.ok(await invariantHolds({ ...each, walks: 20, seed: 1 }));
    });
  }

  test('its invariants notice a quorum that is too small, and a missing guard', async () => {
    for (const instance of ['fourWithSmallQuorum', 'fourWithoutGuard']) {
      const walks = broken.find((each) => each.instance === instance);
      assert.ok(walks);
      assert.ok(!(await invariantHolds({ ...walks, walks: 400, seed: 1 })), instance);
    }
  });
});

describe('the core does what the model did', () => {
  for (const vector of vectors) {
    test(`in the trace ${vector.name}`, async () => {
      const { events } = await read(vector);
      assert.equal(firstDifference(events, validatorsOf[vector.instance] ?? 0), undefined);
    });
  }

  test('in fresh traces', async () => {
    const fresh = await tracesOf(
      { instance: 'four', invariant: 'safe', walks: 10, stepsMax: 60, seed: 99 },
      10,
    );
    assert.equal(fresh.length, 10);
    for (const { events } of fresh) assert.equal(firstDifference(events, 4), undefined);
  });

  test('the traces are those of the model as it is now', async () => {
    const vector = vectors.find(({ name }) => name === 'four-final');
    assert.ok(vector);
    const [trace] = await tracesOf(vector);
    assert.equal(trace?.itf, (await read(vector)).itf, 'npm run model -- --write-vectors');
  });

  test('the traces show every input and every effect, in both consortiums', async () => {
    const traces = await Promise.all(vectors.map(read));
    const events = traces.flatMap((trace) => trace.events);
    const inputs = new Set(events.map(({ input }) => input.tag));
    const effects = new Set(events.flatMap((event) => event.effects.map(({ tag }) => tag)));
    const evidence = new Set(events.flatMap((event) => event.evidence.map(({ kind }) => kind)));
    assert.equal(inputs.size, 8);
    assert.equal(effects.size, 6);
    assert.deepEqual([...evidence].sort(), [
      'conflicting-finalize',
      'conflicting-notarize',
      'nullify-and-finalize',
    ]);
  });
});

const mutants: readonly Mutation[] = [
  {
    name: 'a quorum that is one too small',
    file: 'consensus/types.ts',
    from: 'return validators - faultsTolerated(validators);',
    to: 'return validators - faultsTolerated(validators) - 1;',
  },
  {
    name: 'no guard between nullify and finalize',
    file: 'consensus/simplex.ts',
    from: 'if (view.own.nullify !== undefined || view.own.finalize !== undefined) return;',
    to: 'if (view.own.finalize !== undefined) return;',
  },
  {
    name: 'a proposal behind views that are not nullified',
    file: 'consensus/parents.ts',
    from: 'if (viewOf(state, at).nullification === undefined) return false;',
    to: '',
  },
  {
    name: 'votes that are forgotten at a restart',
    file: 'consensus/recovery.ts',
    from: "if (record.kind === 'vote') restoreVote(transition, record);",
    to: "if (record.kind === 'vote') continue;",
  },
  {
    name: 'a closing block that is not proposed again',
    file: 'consensus/parents.ts',
    from: 'return equalBytes(header.digest, header.parentDigest);',
    to: 'return false;',
  },
];

describe('the replay notices', () => {
  for (const mutant of mutants) {
    test(mutant.name, async (t) => {
      const thread = new Worker(new URL('../model/replay-thread.ts', import.meta.url), {
        workerData: mutant,
      });
      const [differences] = (await once(thread, 'message')) as [readonly string[]];
      await thread.terminate();
      assert.ok(differences.length > 0);
      t.diagnostic(differences[0] ?? '');
    });
  }
});
