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

/** As test/model/walks.ts names them; from a seed on that shows each soon. */
const faults = [
  ['n−f−1 of four are a quorum', 1],
  ['views that were given up are finalized', 1],
  ['an order names another than the newest block', 0x8255],
  ['boxes have voted above the floor of an order', 0x1d01],
  ['boxes go on between the question and the order', 0x13b9b],
] as const;

describe('the model', () => {
  test('type-checks, and its stories hold', async () => {
    await checkTypes();
    assert.equal(await runStories('four'), 5);
  });

  for (const each of sound) {
    test(`its invariants hold in walks through ${each.instance}`, async () => {
      // A walk with an order takes half a second.
      const walks = each.step === undefined ? 20 : 5;
      assert.ok(await invariantHolds({ ...each, walks, seed: 1 }));
    });
  }

  for (const [fault, seed] of faults) {
    test(`its invariants notice that ${fault}`, async () => {
      const walks = broken.find(({ what }) => what === fault);
      assert.ok(walks);
      assert.ok(!(await invariantHolds({ ...walks, walks: 400, seed })));
    });
  }
});

describe('the core does what the model did', () => {
  for (const vector of vectors) {
    test(`in the trace ${vector.name}`, async () => {
      const { events } = await read(vector);
      assert.equal(firstDifference(events, validatorsOf[vector.instance] ?? 0), undefined);
    });
  }

  test('in fresh traces', async () => {
    for (const walks of sound.filter(({ instance }) => /^four/.test(instance))) {
      const fresh = await tracesOf({ ...walks, walks: 10, seed: 99 }, 10);
      assert.equal(fresh.length, 10);
      for (const { events } of fresh) assert.equal(firstDifference(events, 4), undefined);
    }
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
    assert.equal(inputs.size, 10);
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
  {
    name: 'votes of views that a restart has taken out',
    file: 'consensus/state.ts',
    from: 'return restart !== undefined && view <= restart.floor && view !== restart.view;',
    to: 'return restart !== undefined && view < 0;',
  },
  {
    name: 'a restart that leads to no block',
    file: 'consensus/parents.ts',
    from: 'if (restart === undefined || before > restart.floor || before <= restart.view) return before;',
    to: 'if (restart === undefined || before <= restart.floor || before >= restart.view) return before;',
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
