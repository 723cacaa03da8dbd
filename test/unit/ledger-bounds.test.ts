/** What one owner, source or member can leave in the state, at most: each limit one below, at it, and what makes room. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  basisId,
  idBytes,
  keptProposalsRecord,
  openProposalsRecord,
  mayApplyLater,
  proposalId,
  stateEntries,
  stateFromEntries,
  stateKeys,
} from '../../firmware/src/ledger/index.ts';
import {
  emergenciesInWindowMax,
  grantsOfStudyMax,
  keptProposalsMax,
  keptProposalsOfInstitutionMax,
  listedProposalsMax,
  openProposalsMax,
  referralsOfStudyMax,
  revocationsAheadMax,
  stateValueBytesMax,
} from '../../firmware/src/ledger/limits.ts';
import { asSnapshot } from '../../firmware/src/ledger/state.ts';
import { studyRecord, type StudyRecord } from '../../firmware/src/ledger/studies/study-record.ts';
import type { LedgerState, StudyId, Transaction } from '../../firmware/src/ledger/types.ts';
import { boxOf, bytesOf, LedgerFixture, signerOf } from '../fakes/ledger.ts';
import { ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { emergencyBody, referBody, transferBody } from '../fakes/ledger-studies.ts';
import { applied, refusal, soon } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const consortium = new ConsortiumFixture(ledger);
const owner = signerOf('owner');
const grantee = signerOf('grantee');
const registration = ledger.register('north', 'batch', [owner]);
const [study] = registration.ids as readonly [StudyId];
const registered = applied(ledger.initial, registration.transaction);

function withStudy(state: LedgerState, change: Partial<StudyRecord>): LedgerState {
  const record = state.study(study);
  assert.ok(record !== undefined);
  return asSnapshot(state).put(studyRecord, stateKeys.study(study), { ...record, ...change });
}

function revokedAhead(number: number): Transaction {
  return ledger.sign(ledger.revokeBody(study, { basisId: bytesOf(`basis ${number}`) }), owner);
}

test('an owner revokes so many bases ahead of their arrival; more, all at once', () => {
  let state = registered;
  const keys = [...stateEntries(state)].length;
  for (let number = 0; number < revocationsAheadMax; number++) state = applied(state, revokedAhead(number));
  assert.equal(state.study(study)?.revokedAhead.length, revocationsAheadMax);
  assert.equal([...stateEntries(state)].length, keys, 'nothing beside the study’s record');
  assert.equal(refusal(state, revokedAhead(0)), 'already-revoked');
  assert.equal(refusal(state, revokedAhead(99)), 'too-many-revocations');
  const all = ledger.sign(ledger.revokeBody(study, { upTo: 5 }), owner);
  assert.equal(applied(state, all).study(study)?.revokedUpTo, 5);
});

test('what was revoked ahead stays out, until another owner decides', () => {
  const grant = ledger.grantBody(study, 1, grantee.publicKey);
  const ahead = ledger.sign(ledger.revokeBody(study, { basisId: idBytes(basisId(grant)) }), owner);
  const state = applied(registered, ahead);
  assert.equal(refusal(state, ledger.sign(grant, owner)), 'revoked');
  const next = signerOf('next owner');
  const handedOver = applied(state, ledger.sign(transferBody(ledger, study, next), owner, next));
  assert.deepEqual(handedOver.study(study)?.revokedAhead, []);
  assert.equal(refusal(handedOver, ledger.sign(grant, owner)), 'owner-epoch-stale');
});

test('grants and referrals of a study are counted, each kind for itself', () => {
  const granted = ledger.sign(ledger.grantBody(study, 8, grantee.publicKey), owner);
  const referred = ledger.sign(
    referBody(ledger, 'north', study, 1, grantee.publicKey),
    boxOf('north').transaction,
  );
  const almost = withStudy(registered, { grants: grantsOfStudyMax - 1, grantSeq: 7 });
  const full = applied(almost, granted);
  assert.equal(full.study(study)?.grants, grantsOfStudyMax);
  const more = ledger.sign(ledger.grantBody(study, 9, grantee.publicKey), owner);
  assert.equal(refusal(full, more), 'too-many-bases');
  assert.ok(applied(full, referred));
  const referrals = withStudy(registered, { referralSeq: referralsOfStudyMax });
  const last = referBody(ledger, 'north', study, referralsOfStudyMax + 1, grantee.publicKey);
  assert.equal(refusal(referrals, ledger.sign(last, boxOf('north').transaction)), 'too-many-bases');
});

test('numbers that a revocation spent count as no grants', () => {
  const state = applied(registered, ledger.sign(ledger.revokeBody(study, { upTo: 1000 }), owner));
  const granted = applied(state, ledger.sign(ledger.grantBody(study, 1001, grantee.publicKey), owner));
  assert.equal(granted.study(study)?.grants, 1);
});

test('a member declares so many emergencies of a study at a time; another member is not kept from its own', () => {
  const { emergencyMs } = registered.parameters();
  const declared = (institution: string, number: number): Transaction =>
    ledger.sign(
      emergencyBody(ledger, institution, study, signerOf(`emergency ${number}`).publicKey, {
        validUntil: soon + 2 * emergencyMs,
      }),
      boxOf(institution).transaction,
    );
  let state = registered;
  for (let number = 0; number < emergenciesInWindowMax; number++)
    state = applied(state, declared('south', number), soon + number);
  assert.equal(refusal(state, declared('south', 99), soon + emergencyMs - 1), 'too-many-emergencies');
  assert.ok(applied(state, declared('east', 99)));
  const later = applied(state, declared('south', 99), soon + emergencyMs);
  assert.equal(later.study(study)?.bases, emergenciesInWindowMax + 1);
});

/** The state after a proposal of other parameters that passed. */
function decided(state: LedgerState, number: number, time = soon): LedgerState {
  const parameters = { ...state.parameters(), proposalMs: 1_000_000 + number };
  const body = consortium.proposeBody('north', { kind: 'parameters', parameters });
  const proposed = applied(state, consortium.propose('north', body.action), time);
  const two = applied(proposed, consortium.vote('south', body), time);
  return applied(two, consortium.vote('east', body), time);
}

test('decided proposals are kept until their transactions cannot be brought again, and count as long', () => {
  let state = ledger.initial;
  for (let number = 0; number < keptProposalsOfInstitutionMax; number++) state = decided(state, number);
  assert.deepEqual(state.proposals(), []);
  const parameters = { ...state.parameters(), proposalMs: 2_000_000 };
  const more = consortium.propose('north', { kind: 'parameters', parameters });
  assert.equal(refusal(state, more), 'too-many-proposals');
  assert.ok(applied(state, consortium.propose('south', { kind: 'parameters', parameters })));
});

test('a proposal is valid for no longer than it can be voted on, and leaves the state with the next one after that', () => {
  const { proposalMs } = ledger.initial.parameters();
  const action = { kind: 'remove', id: 'west' } as const;
  const expiry = soon + proposalMs;
  const north = boxOf('north').transaction;
  const tooLong = ledger.sign(consortium.proposeBody('north', action, { validUntil: expiry + 1 }), north);
  assert.equal(refusal(ledger.initial, tooLong), 'valid-too-long');
  assert.equal(mayApplyLater('valid-too-long'), true, 'block time comes nearer');
  const body = consortium.proposeBody('north', action, { validUntil: expiry });
  const made = applied(ledger.initial, ledger.sign(body, north));
  const next = ledger.sign(
    consortium.proposeBody('south', action, { validUntil: expiry + proposalMs }),
    boxOf('south').transaction,
  );
  const atExpiry = applied(made, next, expiry);
  assert.equal(refusal(atExpiry, ledger.sign(body, north), expiry), 'proposal-exists', 'its last moment');
  const after = applied(made, next, expiry + 1);
  assert.equal(after.proposal(proposalId(body)), undefined);
  assert.equal(refusal(after, ledger.sign(body, north), expiry + 1), 'expired');
  assert.deepEqual(
    after.proposals().map(({ proposal }) => proposal.proposer),
    ['south'],
  );
});

/** The state whose list holds so many proposals, open ones among them, as others made them. */
function listed(count: number, open: number, proposers: readonly string[]): LedgerState {
  const list = Array.from({ length: count }, (_, index) => ({
    id: bytesOf(`proposal ${index}`),
    proposer: proposers[index] ?? `other-${index % 8}`.padEnd(32, 'x'),
    expiry: soon + 1_000_000,
  }));
  const ids = list.slice(0, open).map(({ id }) => id);
  return asSnapshot(ledger.initial)
    .put(keptProposalsRecord, stateKeys.proposals, list)
    .put(openProposalsRecord, stateKeys.openProposals, ids);
}

test('whoever has no proposal finds room for one when others have filled the list', () => {
  const action = { kind: 'remove', id: 'west' } as const;
  const full = listed(keptProposalsMax, 0, []);
  const one = applied(full, consortium.propose('north', action));
  const more = consortium.propose('north', { kind: 'remove', id: 'east' });
  assert.equal(refusal(one, more), 'too-many-proposals', 'one, not two');
  assert.ok(applied(one, consortium.propose('south', action)));
  assert.ok(applied(listed(keptProposalsMax - 1, 0, ['north']), more));
  assert.equal(refusal(listed(keptProposalsMax, 0, ['north']), more), 'too-many-proposals');
  assert.ok(applied(listed(listedProposalsMax - 1, 0, []), more));
  assert.equal(refusal(listed(listedProposalsMax, 0, []), more), 'too-many-proposals');
});

test('the longest list of proposals can be read again', () => {
  const longest = listed(listedProposalsMax, 0, []);
  const [, bytes] = [...stateEntries(longest)].find(([key]) => key === stateKeys.proposals) ?? [];
  assert.ok(bytes !== undefined && bytes.length <= stateValueBytesMax);
  assert.equal(stateFromEntries(ledger.chain, stateEntries(longest)).proposals().length, 0);
});

test('whoever has no open proposal may open one when others have opened as many as may be', () => {
  const parameters = ledger.initial.parameters();
  const more = consortium.propose('north', { kind: 'parameters', parameters });
  const north = (open: boolean): LedgerState =>
    listed(openProposalsMax + 1, open ? openProposalsMax : openProposalsMax + 1, open ? ['north'] : []);
  assert.ok(applied(north(false), more));
  assert.equal(refusal(north(true), more), 'too-many-proposals');
});
