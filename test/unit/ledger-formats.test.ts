/** format.signal: a new format is set for a height only when a quorum of the validators can follow it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildBlock,
  encodeTransaction,
  executeBlock,
  formatKnown,
  genesisBlock,
} from '../../firmware/src/ledger/index.ts';
import type { LedgerState } from '../../firmware/src/ledger/types.ts';
import { LedgerFixture, verifySignature } from '../fakes/ledger.ts';
import { candidate, ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { applied, refusal } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const consortium = new ConsortiumFixture(ledger);
const { initial } = ledger;
const { activationBlocks } = initial.parameters();

function signalled(state: LedgerState, ...signals: readonly (readonly [string, number])[]): LedgerState {
  return signals.reduce((after, [id, format]) => applied(after, consortium.signal(id, format)), state);
}

test('the ledger begins with format 1', () => {
  assert.equal(initial.formatAt(0), 1);
  assert.equal(initial.formatAt(1_000_000), 1);
  assert.equal(formatKnown, 1);
});

test('the third of four validators sets the height, so many blocks later', () => {
  const two = signalled(initial, ['north', 2], ['south', 2]);
  assert.equal(two.formats().activations.length, 1);
  const three = signalled(two, ['east', 2]);
  // `applied` is at height 1.
  assert.deepEqual(three.formats().activations, [
    { format: 1, height: 0 },
    { format: 2, height: 1 + activationBlocks },
  ]);
  assert.equal(three.formatAt(activationBlocks), 1);
  assert.equal(three.formatAt(1 + activationBlocks), 2);
  assert.equal(refusal(three, consortium.signal('west', 2)), 'format-stale');
});

test('who can a newer format can the ones before', () => {
  const state = signalled(initial, ['north', 4], ['south', 3], ['east', 2]);
  assert.deepEqual(state.formats().activations.at(-1)?.format, 2);
  const more = signalled(state, ['east', 3]);
  assert.deepEqual(more.formats().activations.at(-1)?.format, 3);
});

test('each signals upwards, validators only', () => {
  const state = signalled(initial, ['north', 3]);
  assert.equal(refusal(state, consortium.signal('north', 3)), 'already-signalled');
  assert.equal(refusal(state, consortium.signal('north', 2)), 'already-signalled');
  const action = { kind: 'admit' as const, institution: candidate(ledger.chain, 'fifth'), validator: false };
  const proposal = consortium.proposeBody('north', action);
  let admitted = applied(state, consortium.propose('north', action));
  for (const voter of ['south', 'east']) admitted = applied(admitted, consortium.vote(voter, proposal));
  assert.equal(refusal(admitted, consortium.signal('fifth', 2)), 'not-a-validator');
});

test('signals of those who validate no more are forgotten at the epoch’s end', () => {
  const action = { kind: 'validators' as const, add: [], remove: ['west'] };
  const proposal = consortium.proposeBody('north', action);
  let state = signalled(initial, ['west', 2], ['north', 2]);
  state = applied(state, consortium.propose('north', action));
  for (const voter of ['south', 'east']) state = applied(state, consortium.vote(voter, proposal));
  const closed = buildBlock(state, ledger.genesisHeader, {
    view: 1,
    time: state.epoch().startTime + state.parameters().epochMs,
    proposer: 'north',
    candidates: [],
    verify: verifySignature,
  }).state;
  assert.deepEqual(closed.formats().signals, [{ institution: 'north', format: 2 }]);
});

test('a box does not execute a block of a format that it does not know', () => {
  const quick = new LedgerFixture(undefined, {
    parameters: { ...ledger.genesis.parameters, activationBlocks: 8 },
  });
  const own = new ConsortiumFixture(quick);
  let state = quick.initial;
  let parent = genesisBlock(quick.genesis);
  const candidates = ['north', 'south', 'east'].map((id) => encodeTransaction(own.signal(id, 2)));
  for (let height = 1; height <= 8; height++) {
    const built = buildBlock(state, parent.header, {
      view: height,
      time: parent.header.time + 1_000,
      proposer: 'north',
      candidates: height === 1 ? candidates : [],
      verify: verifySignature,
    });
    assert.deepEqual(built.refused, []);
    const executed = executeBlock(state, parent.header, built.block, { verify: verifySignature });
    assert.ok(executed.kind === 'valid');
    [state, parent] = [executed.state, built.block];
  }
  assert.equal(state.formatAt(9), 2);
  const { block } = buildBlock(state, parent.header, {
    view: 9,
    time: parent.header.time + 1_000,
    proposer: 'north',
    candidates: [],
    verify: verifySignature,
  });
  const result = executeBlock(state, parent.header, block, { verify: verifySignature });
  assert.ok(result.kind === 'invalid');
  assert.equal(result.reason, 'unknown-format');
});
