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

describe('a certificate of a view that a restart has taken out', () => {
  for (const kind of ['notarize', 'nullify', 'finalize'] as const) {
    for (const view of [restart.view + 1, restart.floor]) {
      test(`changes nothing: ${kind} in view ${view}`, () => {
        const state = restarted();
        const late = certificate(kind, view, kind === 'nullify' ? new Uint8Array(32) : lost);
        const stepped = step(state, certificateInput(late));
        assert.deepEqual(stepped.effects, []);
        assert.equal(stepped.state, state);
      });
      test(`is not taken up from the vote log: ${kind} in view ${view}`, () => {
        const late = certificate(kind, view, kind === 'nullify' ? new Uint8Array(32) : lost);
        const state = restarted([{ kind: 'certificate', certificate: late }]);
        assert.equal(state.final.view, restart.view);
        const { notarization, nullification } = viewOf(state, view);
        assert.deepEqual([notarization, nullification], [undefined, undefined]);
      });
    }
  }
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
