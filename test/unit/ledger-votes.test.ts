/** Proposals and votes: who decides, when it takes effect, what can never be decided. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildBlock,
  defaultParameters,
  encodeTransaction,
  proposalId,
  quorumOf,
  toReleaseDigest,
} from '../../firmware/src/ledger/index.ts';
import { openProposalsOfInstitutionMax } from '../../firmware/src/ledger/limits.ts';
import { quorum } from '../../firmware/src/consensus/types.ts';
import type {
  Institution,
  InstitutionPropose,
  LedgerState,
  ProposalAction,
  Transaction,
} from '../../firmware/src/ledger/types.ts';
import { boxOf, bytesOf, LedgerFixture, signerOf, verifySignature } from '../fakes/ledger.ts';
import { candidate, certifiedKeys, ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { applied, refusal, soon } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const consortium = new ConsortiumFixture(ledger);
const { initial } = ledger;
const dayMs = 86_400_000;

/** The state after the proposal by the first and the approvals of the others. */
function agreed(
  state: LedgerState,
  action: ProposalAction,
  [first, ...others]: readonly string[],
): LedgerState {
  const body = consortium.proposeBody(first as string, action);
  let after = applied(state, consortium.propose(first as string, action));
  for (const voter of others) after = applied(after, consortium.vote(voter, body));
  return after;
}

/** The state after an empty block that closes the epoch. */
function nextEpoch(state: LedgerState): LedgerState {
  const time = state.epoch().startTime + state.parameters().epochMs;
  const built = buildBlock(state, ledger.genesisHeader, {
    view: 1,
    time,
    proposer: 'north',
    candidates: [],
    verify: verifySignature,
  });
  assert.equal(built.state.epoch().number, state.epoch().number + 1);
  return built.state;
}

const admitFifth = {
  kind: 'admit',
  institution: candidate(ledger.chain, 'fifth'),
  validator: true,
} as const;
const three = ['north', 'south', 'east'];

/** What may be admitted once west was removed: its transaction key is another. */
function westAgain(): Institution {
  const signers = { transaction: boxOf('west again').transaction };
  return {
    ...candidate(ledger.chain, 'west'),
    keys: certifiedKeys(ledger.chain, 'west', 'west', { signers }),
  };
}

test('the quorum is the one of consensus, for any number', () => {
  for (let n = 1; n <= 512; n++) assert.equal(quorumOf(n), quorum(n));
});

test('an institution is admitted with the third of four approvals, its proposer being one', () => {
  const body = consortium.proposeBody('north', admitFifth);
  const proposed = applied(initial, consortium.propose('north', admitFifth));
  assert.deepEqual(proposed.proposal(proposalId(body)), {
    proposer: 'north',
    action: admitFifth,
    proposedAt: soon,
    expiry: soon + 30 * dayMs,
    outcome: null,
  });
  assert.deepEqual(proposed.voters(proposalId(body)), { approvedBy: ['north'], rejectedBy: [] });
  assert.deepEqual(
    proposed.proposals().map(({ id }) => id),
    [proposalId(body)],
  );
  const two = applied(proposed, consortium.vote('south', body));
  assert.equal(two.institution('fifth'), undefined);
  const passed = applied(two, consortium.vote('east', body));
  assert.deepEqual(passed.institution('fifth'), {
    ...candidate(ledger.chain, 'fifth'),
    version: 1,
    deviceSince: soon,
  });
  assert.deepEqual(
    passed.institutions().map(({ id }) => id),
    ['east', 'fifth', 'north', 'south', 'west'],
  );
  assert.deepEqual(passed.proposal(proposalId(body))?.outcome, { passed: true, at: soon });
  assert.deepEqual(passed.proposals(), []);
  assert.equal(refusal(passed, consortium.vote('west', body)), 'proposal-closed');
});

test('a new validator votes from the next epoch on, and signs at once', () => {
  const passed = agreed(initial, admitFifth, three);
  assert.deepEqual(passed.validators(), ['north', 'south', 'east', 'west']);
  assert.deepEqual(passed.nextValidators(), ['north', 'south', 'east', 'west', 'fifth']);
  const { body } = ledger.register('north', 'batch', [signerOf('owner')], { source: 'fifth' }).transaction;
  const registration = ledger.sign(body, boxOf('fifth').transaction);
  assert.equal(refusal(initial, registration), 'unknown-institution');
  assert.ok(applied(passed, registration));
  const next = nextEpoch(passed);
  assert.deepEqual(next.validators(), ['north', 'south', 'east', 'west', 'fifth']);
  assert.deepEqual(next.epoch().validators[4]?.voting, boxOf('fifth').voting.publicKey);
});

test('a removed institution signs nothing any more, and validates to the end of the epoch that has begun', () => {
  const passed = agreed(initial, { kind: 'remove', id: 'west' }, three);
  assert.equal(passed.institution('west'), undefined);
  assert.equal(passed.departed('west')?.name, 'Hospital west');
  assert.deepEqual(passed.validators(), ['north', 'south', 'east', 'west']);
  const registration = ledger.register('west', 'batch', [signerOf('owner')]).transaction;
  const proposal = consortium.proposeBody('north', { kind: 'remove', id: 'south' });
  const open = applied(passed, consortium.propose('north', proposal.action));
  const of: readonly Transaction[] = [
    registration,
    consortium.propose('west', admitFifth),
    consortium.vote('west', proposal),
    consortium.update('west', 2, certifiedKeys(ledger.chain, 'west', 'new'), boxOf('west').transaction),
    consortium.replace('west', 2, certifiedKeys(ledger.chain, 'west', 'new'), [1, 2]),
    consortium.accept('west', '1.0.0'),
    consortium.signal('west', 2),
  ];
  for (const transaction of of)
    assert.equal(refusal(open, transaction), 'unknown-institution', transaction.body.type);
  assert.deepEqual(nextEpoch(passed).validators(), ['north', 'south', 'east']);
});

test('one that comes back goes on counting: what it signed before does not apply again', () => {
  const updated = applied(
    initial,
    consortium.update('west', 2, certifiedKeys(ledger.chain, 'west', 'west'), boxOf('west').transaction),
  );
  const gone = agreed(updated, { kind: 'remove', id: 'west' }, three);
  const back = agreed(gone, { kind: 'admit', institution: westAgain(), validator: false }, three);
  assert.equal(back.institution('west')?.version, 3);
  assert.equal(back.departed('west'), undefined);
  assert.deepEqual(back.nextValidators(), ['north', 'south', 'east'], 'only if the proposal says so');
});

test('validators change from the next epoch on: who stays keeps its order', () => {
  const admitted = agreed(initial, { ...admitFifth, validator: false }, three);
  const change: ProposalAction = { kind: 'validators', add: ['fifth'], remove: ['south'] };
  const passed = agreed(admitted, change, ['north', 'east', 'west', 'fifth']);
  assert.deepEqual(passed.validators(), ['north', 'south', 'east', 'west']);
  assert.deepEqual(nextEpoch(passed).validators(), ['north', 'east', 'west', 'fifth']);
  assert.ok(passed.institution('south') !== undefined, 'it is still a member');
});

test('parameters take effect when the epoch closes, the vendor at once', () => {
  const parameters = { ...defaultParameters, epochMs: 5_000, objectionMs: 7_000 };
  const passed = agreed(initial, { kind: 'parameters', parameters }, three);
  assert.deepEqual(passed.parameters(), defaultParameters);
  const next = nextEpoch(passed);
  assert.deepEqual(next.parameters(), parameters);
  assert.deepEqual(nextEpoch(next).parameters(), parameters);
  const vendor = { keys: [signerOf('another vendor').publicKey], threshold: 1 };
  assert.deepEqual(agreed(initial, { kind: 'vendor', vendor }, three).vendor(), vendor);
});

test('each votes once, and only while the proposal is open', () => {
  const body = consortium.proposeBody('north', admitFifth);
  const proposed = applied(initial, consortium.propose('north', admitFifth));
  assert.equal(refusal(proposed, consortium.vote('north', body)), 'already-voted');
  assert.equal(refusal(proposed, consortium.vote('north', body, false)), 'already-voted');
  const against = applied(proposed, consortium.vote('south', body, false));
  assert.equal(refusal(against, consortium.vote('south', body, true)), 'already-voted');
  assert.equal(refusal(initial, consortium.vote('south', body)), 'unknown-proposal');
  const { expiry } = proposed.proposal(proposalId(body))!;
  assert.equal(refusal(proposed, consortium.vote('south', body), expiry), 'proposal-closed');
  assert.ok(applied(proposed, consortium.vote('south', body), expiry - 1) !== proposed);
  assert.equal(
    refusal(proposed, consortium.vote('south', body, true, boxOf('east').transaction)),
    'bad-signature',
  );
  assert.equal(
    refusal(initial, consortium.propose('north', admitFifth, boxOf('east').transaction)),
    'bad-signature',
  );
});

test('a proposal is rejected when no quorum can come together any more', () => {
  const body = consortium.proposeBody('north', admitFifth);
  let state = applied(initial, consortium.propose('north', admitFifth));
  state = applied(state, consortium.vote('south', body, false));
  assert.equal(state.proposal(proposalId(body))?.outcome, null);
  state = applied(state, consortium.vote('east', body, false));
  assert.deepEqual(state.proposal(proposalId(body))?.outcome, { passed: false, at: soon });
  assert.deepEqual(state.proposals(), []);
  assert.equal(state.institution('fifth'), undefined);
});

test('the votes of those who were removed meanwhile do not count', () => {
  const body = consortium.proposeBody('west', admitFifth);
  let state = applied(initial, consortium.propose('west', admitFifth));
  state = applied(state, consortium.vote('south', body));
  state = agreed(state, { kind: 'remove', id: 'west' }, three);
  // Three members, all of whom must agree; one has.
  state = applied(state, consortium.vote('east', body));
  assert.equal(state.institution('fifth'), undefined);
  state = applied(state, consortium.vote('north', body));
  assert.ok(state.institution('fifth') !== undefined);
});

test('what a member said ends with its membership: admitted again, it has said nothing', () => {
  const parameters = { ...defaultParameters, proposalMs: dayMs };
  const open = consortium.proposeBody('north', { kind: 'parameters', parameters });
  const against = consortium.proposeBody('south', { kind: 'vendor', vendor: { keys: [], threshold: 0 } });
  let state = applied(initial, consortium.propose('north', open.action));
  state = applied(state, consortium.propose('south', against.action));
  state = applied(state, consortium.vote('west', open));
  state = applied(state, consortium.vote('west', against, false));
  state = applied(applied(state, consortium.publish('1.0.0', [1, 2])), consortium.accept('west', '1.0.0'));
  state = applied(applied(state, consortium.signal('west', 2)), consortium.signal('east', 2));
  state = agreed(state, { kind: 'remove', id: 'west' }, three);
  const admitWest = { kind: 'admit', validator: true } as const;
  const sameKey: ProposalAction = { ...admitWest, institution: candidate(ledger.chain, 'west') };
  assert.equal(refusal(state, consortium.propose('north', sameKey)), 'key-in-use');
  state = agreed(state, { ...admitWest, institution: westAgain() }, three);

  assert.deepEqual(state.voters(proposalId(open)).approvedBy, ['north']);
  assert.deepEqual(state.voters(proposalId(against)).rejectedBy, []);
  const release = toReleaseDigest(bytesOf('release 1.0.0'));
  assert.deepEqual(state.acceptedBy(release), []);
  assert.equal(state.acceptanceOf(release, 'west'), undefined);
  assert.deepEqual(state.formats().signals, [{ institution: 'east', format: 2 }]);

  state = applied(state, consortium.vote('south', open));
  assert.equal(state.proposal(proposalId(open))?.outcome, null, 'two of four, and no third from before');
  const replayed = [
    consortium.vote('west', open),
    consortium.vote('west', against, false),
    consortium.accept('west', '1.0.0'),
    consortium.signal('west', 2),
  ];
  for (const said of replayed)
    assert.equal(refusal(state, said), 'bad-signature', 'what it said before is said by nobody else');
  const { transaction } = boxOf('west again');
  state = applied(state, consortium.vote('west', open, true, transaction));
  assert.equal(state.proposal(proposalId(open))?.outcome?.passed, true, 'it may say it again');
  state = applied(state, consortium.accept('west', '1.0.0', transaction));
  state = applied(state, consortium.signal('west', 2, transaction));
  assert.deepEqual(state.acceptedBy(release), ['west']);
});

test('what cannot be done cannot be proposed', () => {
  const renamed = { ...candidate(ledger.chain, 'fifth'), id: 'sixth' };
  const expired = certifiedKeys(ledger.chain, 'fifth', 'fifth', { expiry: soon });
  const otherCertificate = { ...candidate(ledger.chain, 'fifth').keys, certificate: expired.certificate };
  const torsion = Buffer.from('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'hex');
  const admit = (change: object): ProposalAction => ({
    kind: 'admit',
    institution: { ...candidate(ledger.chain, 'fifth'), ...change },
    validator: true,
  });
  const cases: readonly (readonly [ProposalAction, string])[] = [
    [{ kind: 'admit', institution: candidate(ledger.chain, 'north'), validator: true }, 'institution-exists'],
    [{ kind: 'admit', institution: renamed, validator: true }, 'bad-possession'],
    [admit({ keys: otherCertificate }), 'bad-certificate'],
    [admit({ keys: expired }), 'institution-keys-expired'],
    [admit({ keys: certifiedKeys(ledger.chain, 'fifth', 'fifth', { transport: torsion }) }), 'bad-key'],
    [admit({ keys: certifiedKeys(ledger.chain, 'fifth', 'north') }), 'key-in-use'],
    [
      admit({
        keys: certifiedKeys(ledger.chain, 'fifth', 'fifth', { voting: boxOf('fifth').transport.publicKey }),
      }),
      'key-in-use',
    ],
    [admit({ root: { keys: [torsion], threshold: 1 } }), 'bad-key'],
    [{ kind: 'remove', id: 'nobody' }, 'unknown-institution'],
    [{ kind: 'validators', add: ['nobody'], remove: [] }, 'unknown-institution'],
    [{ kind: 'validators', add: ['north'], remove: [] }, 'already-a-validator'],
    [{ kind: 'validators', add: [], remove: ['nobody'] }, 'not-a-validator'],
    [{ kind: 'validators', add: [], remove: ['north', 'south', 'east', 'west'] }, 'last-validator'],
    [{ kind: 'vendor', vendor: { keys: [torsion], threshold: 1 } }, 'bad-key'],
  ];
  for (const [action, reason] of cases) {
    assert.equal(refusal(initial, consortium.propose('north', action)), reason, JSON.stringify(action));
  }
});

test('two proposals that exclude each other: the second cannot be decided any more', () => {
  const out: ProposalAction = { kind: 'validators', add: [], remove: ['north', 'south', 'east'] };
  const rest: ProposalAction = { kind: 'validators', add: [], remove: ['west'] };
  const second = consortium.proposeBody('west', rest);
  let state = applied(initial, consortium.propose('west', rest));
  state = applied(state, consortium.vote('south', second));
  state = agreed(state, out, three);
  assert.equal(refusal(state, consortium.vote('east', second)), 'last-validator');
  assert.equal(refusal(state, consortium.propose('north', { kind: 'remove', id: 'west' })), 'last-validator');
  assert.deepEqual(state.nextValidators(), ['west']);
});

test('the last institution cannot be removed', () => {
  const alone = new LedgerFixture(['north']);
  const only = new ConsortiumFixture(alone);
  assert.equal(
    refusal(alone.initial, only.propose('north', { kind: 'remove', id: 'north' })),
    'last-institution',
  );
  const two = applied(
    alone.initial,
    only.propose('north', { ...admitFifth, institution: candidate(alone.chain, 'fifth') }),
  );
  assert.ok(two.institution('fifth') !== undefined, 'one vote of one is a quorum');
});

test('open proposals are bounded for each institution, and those that expired make room', () => {
  const numbered = (index: number): InstitutionPropose =>
    consortium.proposeBody('north', admitFifth, { validUntil: soon + 29 * dayMs + index });
  const propose = (state: LedgerState, index: number, time = soon): LedgerState =>
    applied(state, ledger.sign(numbered(index), boxOf('north').transaction), time);
  let state = initial;
  for (let index = 0; index < openProposalsOfInstitutionMax; index++) state = propose(state, index);
  const more = ledger.sign(numbered(99), boxOf('north').transaction);
  assert.equal(refusal(state, more), 'too-many-proposals');
  assert.equal(refusal(state, ledger.sign(numbered(0), boxOf('north').transaction)), 'proposal-exists');
  assert.equal(applied(state, consortium.propose('south', admitFifth)).proposals().length, 9);
  const later = soon + 30 * dayMs;
  const next = consortium.proposeBody('north', admitFifth, { validUntil: later + dayMs });
  const made = applied(state, ledger.sign(next, boxOf('north').transaction), later);
  assert.equal(made.proposals().length, 1);
  assert.ok(encodeTransaction(more).length < 2_048);
});
