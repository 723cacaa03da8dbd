/** What deciding together costs: no more than it is charged, however many members, votes and acceptances there are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeTransaction,
  encodeTransaction,
  stateChanges,
  transactionWork,
} from '../../firmware/src/ledger/index.ts';
import { releasesListedMax } from '../../firmware/src/ledger/limits.ts';
import type {
  InstitutionPropose,
  LedgerState,
  ProposalAction,
  StateChange,
  Transaction,
} from '../../firmware/src/ledger/types.ts';
import { LedgerFixture } from '../fakes/ledger.ts';
import { ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { applied } from '../support/ledger-outcome.ts';

const ids = Array.from({ length: 16 }, (_, index) => `hospital-${String(index).padStart(2, '0')}`);
const ledger = new LedgerFixture(ids);
const consortium = new ConsortiumFixture(ledger);
const [first = '', ...others] = ids;
const leaver = ids.at(-1) ?? '';

/** Units of work that a changed record of the state stands for (block-work.ts). */
const recordWork = 5;

function parameters(proposalMs: number): ProposalAction {
  return { kind: 'parameters', parameters: { ...ledger.genesis.parameters, proposalMs } };
}

/** The state after the proposal by one and the votes of others. */
function proposed(
  state: LedgerState,
  proposer: string,
  action: ProposalAction,
  voters: readonly string[],
): { readonly state: LedgerState; readonly body: InstitutionPropose } {
  const body = consortium.proposeBody(proposer, action);
  const made = applied(state, consortium.propose(proposer, action));
  return { state: voters.reduce((after, voter) => applied(after, consortium.vote(voter, body)), made), body };
}

/** The state with forty open proposals that the leaver and four others have approved. */
function withOpenProposals(state: LedgerState): LedgerState {
  const proposals = Array.from({ length: 40 }, (_, index) => index);
  return proposals.reduce(
    (after, index) =>
      proposed(after, ids[index % 8] ?? '', parameters(2_000_000 + index), ids.slice(-5)).state,
    state,
  );
}

/** What the transaction changes; it is charged for each record. */
function changesBy(state: LedgerState, transaction: Transaction): readonly StateChange[] {
  const changes = stateChanges(state, applied(state, transaction));
  const decoded = decodeTransaction(encodeTransaction(transaction));
  assert.ok(decoded.kind === 'transaction');
  const work = transactionWork(decoded.transaction.body);
  assert.ok(work > changes.length * recordWork, `${work} units for ${changes.length} records`);
  return changes;
}

/** Their kinds, sorted. */
function kindsOf(changes: readonly StateChange[]): readonly string[] {
  return changes.map(({ key }) => key.split('/')[0] ?? '').sort();
}

test('a removal changes no more of the state where its member has voted on forty open proposals', () => {
  const removal = (state: LedgerState): readonly string[] => {
    const { state: voted, body } = proposed(state, first, { kind: 'remove', id: leaver }, others.slice(0, 9));
    const deciding = consortium.vote(others[9] ?? '', body);
    assert.equal(applied(voted, deciding).institution(leaver), undefined);
    return kindsOf(changesBy(voted, deciding));
  };
  const few = removal(ledger.initial);
  // That they wait to be counted again is one record.
  assert.deepEqual(removal(withOpenProposals(ledger.initial)), [...few, 'recount'].sort());
  assert.ok(few.includes('departed'));
});

test('a vote changes one record, which is as long after ten votes as after one', () => {
  const bytesOf = (changes: readonly StateChange[]): number[] =>
    changes.map(({ value }) => value?.length ?? 0);
  const { state, body } = proposed(ledger.initial, first, parameters(2_000_000), []);
  const next = changesBy(state, consortium.vote(ids[8] ?? '', body));
  assert.deepEqual(kindsOf(next), ['votes']);
  const voted = others.slice(0, 8).reduce((after, id) => applied(after, consortium.vote(id, body)), state);
  assert.deepEqual(bytesOf(changesBy(voted, consortium.vote(ids[9] ?? '', body))), bytesOf(next));
});

test('to accept a release changes two records; to publish drops an old one with all acceptances at once', () => {
  let state = applied(ledger.initial, consortium.publish('1.0.0', [1, 2]));
  assert.deepEqual(kindsOf(changesBy(state, consortium.accept(first, '1.0.0'))), [
    'release',
    'release-acceptances',
  ]);
  for (const id of ids) {
    assert.equal(changesBy(state, consortium.accept(id, '1.0.0')).length, 2);
    state = applied(state, consortium.accept(id, '1.0.0'));
  }
  for (let patch = 1; patch < releasesListedMax; patch++)
    state = applied(state, consortium.publish(`1.0.${patch}`, [1, 2]));
  const published = kindsOf(changesBy(state, consortium.publish('1.1.0', [1, 2])));
  assert.equal(published.filter((kind) => kind === 'release-acceptances').length, 2);
  assert.equal(published.filter((kind) => kind === 'release').length, 2);
});
