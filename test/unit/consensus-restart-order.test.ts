/** After a restart order: the views that it takes out count for nothing, whatever comes of them and whenever. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { recover } from '../../firmware/src/consensus/recovery.ts';
import { step } from '../../firmware/src/consensus/simplex.ts';
import type { CoreState, Effect, PersistRecord } from '../../firmware/src/consensus/state.ts';
import { viewOf } from '../../firmware/src/consensus/state.ts';
import { certificate, certificateInput, digestOf, header, proposalInput } from '../fakes/core-box.ts';

const ordered = digestOf(1);
const lost = digestOf(3);
const next = digestOf(9);
const restart = { view: 1, floor: 1_048_577 };
const first = restart.floor + 1;

function restarted(records: readonly PersistRecord[] = []): CoreState {
  const options = { epoch: 0, validators: 4, self: 3, sign: () => new Uint8Array(64) };
  const final = { view: restart.view, digest: ordered, certificate: undefined };
  return recover(options, { final, floor: 0, records, restart }).state;
}

/** The box's own notarize vote in the view after the floor, as its log has it. */
const voted: PersistRecord = {
  kind: 'vote',
  vote: {
    ...{ kind: 'notarize', epoch: 0, view: first, digest: next, validator: 3 },
    signature: new Uint8Array(64),
  },
  header: header(first, next, restart.view, ordered),
};

describe('a certificate of a view that a restart has taken out', () => {
  for (const kind of ['notarize', 'nullify', 'finalize'] as const) {
    for (const view of [restart.view + 1, restart.floor]) {
      // Only what is final matters to a box that has voted for nothing above the floor.
      const records = kind === 'finalize' ? [voted] : [];
      const late = certificate(kind, view, kind === 'nullify' ? new Uint8Array(32) : lost);
      test(`changes nothing: ${kind} in view ${view}`, () => {
        const state = restarted(records);
        const stepped = step(state, certificateInput(late));
        assert.deepEqual(stepped.effects, []);
        assert.equal(stepped.state, state);
      });
      test(`is not taken up from the vote log: ${kind} in view ${view}`, () => {
        const state = restarted([...records, { kind: 'certificate', certificate: late }]);
        assert.equal(state.final.view, restart.view);
        const { notarization, nullification } = viewOf(state, view);
        assert.deepEqual([notarization, nullification], [undefined, undefined]);
      });
    }
  }
});

describe('a box that has voted for no block above the floor', () => {
  const nullified: PersistRecord = {
    kind: 'vote',
    vote: {
      ...{ kind: 'nullify', epoch: 0, view: first, digest: new Uint8Array(32), validator: 3 },
      signature: new Uint8Array(64),
    },
    header: undefined,
  };
  const final = certificate('finalize', 3, lost);
  test('goes with those who made a block final without the order, and votes up to the floor no more', () => {
    for (const records of [[], [nullified]]) {
      let { state } = step(restarted(records), certificateInput(final));
      assert.deepEqual([state.final.view, state.restart], [3, undefined]);
      state = step(state, certificateInput(certificate('notarize', 4, next))).state;
      assert.deepEqual([viewOf(state, 4).notarization?.digest, viewOf(state, 4).own], [next, {}]);
      assert.equal(step(state, certificateInput(certificate('finalize', 4, next))).state.final.view, 4);
    }
  });
  test('does so again after a start', () => {
    const state = restarted([{ kind: 'certificate', certificate: final }]);
    assert.deepEqual([state.final.view, state.restart], [3, undefined]);
  });
  test('does not for what is final before the order’s block', () => {
    const options = { epoch: 0, validators: 4, self: 3, sign: () => new Uint8Array(64) };
    const before = { view: 0, digest: digestOf(7), certificate: undefined };
    const later = { view: 3, floor: restart.floor };
    const { state } = recover(options, { final: before, floor: 0, records: [], restart: later });
    assert.equal(step(state, certificateInput(certificate('finalize', 2, lost))).state, state);
  });
});

test('a second order that goes on above the floor of a first leaves what that one had taken out', () => {
  const second = { view: first, floor: first + restart.floor };
  const options = { epoch: 0, validators: 4, self: 3, sign: () => new Uint8Array(64) };
  const final = { view: restart.view, digest: ordered, certificate: undefined };
  const records = [{ kind: 'certificate', certificate: certificate('notarize', first, next) }] as const;
  const { state } = recover(options, { final, floor: 0, records, restart: second });
  assert.equal(viewOf(state, first).notarization?.digest, next);
  const late = step(state, certificateInput(certificate('finalize', 3, lost)));
  assert.equal(late.state.final.view, restart.view);
  const own = step(state, certificateInput(certificate('finalize', first, next)));
  assert.equal(own.state.final.view, first);
});

test('no box has two final blocks of which neither follows from the other', () => {
  const final: number[] = [];
  let state = restarted();
  const take = (...inputs: readonly Parameters<typeof step>[1][]): Effect[] =>
    inputs.flatMap((input) => {
      const stepped = step(state, input);
      state = stepped.state;
      for (const effect of stepped.effects)
        if (effect.kind === 'finalized') final.push(effect.certificate.view);
      return [...stepped.effects];
    });
  take(
    proposalInput(header(first, next, restart.view, ordered)),
    { kind: 'verdict', view: first, digest: next, valid: true },
    certificateInput(certificate('notarize', first, next)),
  );
  // Who was away brings what was final before all forgot.
  take(certificateInput(certificate('finalize', 3, lost)));
  take(certificateInput(certificate('finalize', first, next)));
  assert.deepEqual(final, [first]);
});

test('the order’s own block may become final late, and a view above the floor as ever', () => {
  const options = { epoch: 0, validators: 4, self: 3, sign: () => new Uint8Array(64) };
  const before = { view: 0, digest: digestOf(7), certificate: undefined };
  let { state } = recover(options, { final: before, floor: 0, records: [], restart });
  state = step(state, certificateInput(certificate('finalize', restart.view, ordered))).state;
  assert.equal(state.final.view, restart.view);
  state = step(state, certificateInput(certificate('finalize', first, next))).state;
  assert.equal(state.final.view, first);
});
