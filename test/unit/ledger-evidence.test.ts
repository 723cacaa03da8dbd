/** evidence.report: two conflicting votes name the guilty, and nothing else names anybody. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { VoteKind } from '../../firmware/src/encoding/vote-message.ts';
import { buildBlock, decodeTransaction, encodeTransaction } from '../../firmware/src/ledger/index.ts';
import { epochsKeptMax } from '../../firmware/src/ledger/limits.ts';
import type { EvidenceReport, LedgerState } from '../../firmware/src/ledger/types.ts';
import { boxOf, bytesOf, LedgerFixture, signerOf, verifySignature } from '../fakes/ledger.ts';
import { certifiedKeys, ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { applied, refusal, soon } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const consortium = new ConsortiumFixture(ledger);
const { initial } = ledger;
const place = { epoch: 0, view: 7 };
/** Index of west among the validators. */
const west = 3;
const key = boxOf('west').voting;
const [one, two] = [bytesOf('block one'), bytesOf('block two')];

function evidence(
  first: readonly [VoteKind, Uint8Array],
  second: readonly [VoteKind, Uint8Array],
  change: Partial<EvidenceReport> = {},
  voter = key,
) {
  return {
    ...place,
    validator: west,
    first: consortium.reportedVote(...first, place, voter),
    second: consortium.reportedVote(...second, place, voter),
    ...change,
  };
}

function laterEpoch(state: LedgerState, epochs: number): LedgerState {
  let after = state;
  for (let left = epochs; left > 0; left--) {
    const parent = { ...ledger.genesisHeader, epoch: after.epoch().number };
    after = buildBlock(after, parent, {
      view: 1,
      time: after.epoch().startTime + after.parameters().epochMs,
      proposer: 'north',
      candidates: [],
      verify: verifySignature,
    }).state;
  }
  return after;
}

const offences = [
  ['conflicting-notarize', ['notarize', one], ['notarize', two]],
  ['conflicting-finalize', ['finalize', one], ['finalize', two]],
  ['nullify-and-finalize', ['nullify', one], ['finalize', one]],
  ['nullify-and-finalize', ['finalize', two], ['nullify', one]],
] as const;

for (const [offence, first, second] of offences) {
  test(`${offence} (${first[0]} first) names the validator, once`, () => {
    const report = consortium.report('north', evidence(first, second));
    const state = applied(initial, report);
    assert.deepEqual(state.guilt(0, 'west'), { offence, view: 7, reporter: 'north', at: soon });
    assert.deepEqual(state.guilty(), [{ epoch: 0, institution: 'west' }]);
    assert.equal(refusal(state, report), 'already-reported');
    const other = evidence(['finalize', one], ['finalize', two]);
    assert.equal(refusal(state, consortium.report('south', other)), 'already-reported');
    assert.deepEqual(state.validators(), initial.validators(), 'what follows is for votes to say');
  });
}

test('what an honest validator signs is no evidence', () => {
  const honest = [
    [
      ['notarize', one],
      ['notarize', one],
    ],
    [
      ['notarize', one],
      ['finalize', one],
    ],
    [
      ['notarize', one],
      ['nullify', one],
    ],
    [
      ['finalize', one],
      ['finalize', one],
    ],
    [
      ['nullify', one],
      ['nullify', one],
    ],
  ] as const;
  for (const [first, second] of honest) {
    assert.equal(
      refusal(initial, consortium.report('north', evidence(first, second))),
      'no-evidence',
      first[0],
    );
  }
});

test('votes of two views, two epochs or two chains are no evidence', () => {
  const first = consortium.reportedVote('notarize', one, place, key);
  const otherChain = new ConsortiumFixture(new LedgerFixture(['north', 'south', 'west']));
  for (const second of [
    consortium.reportedVote('notarize', two, { ...place, view: 8 }, key),
    consortium.reportedVote('notarize', two, { ...place, epoch: 1 }, key),
    otherChain.reportedVote('notarize', two, place, key),
  ]) {
    const report = consortium.report('north', { ...place, validator: west, first, second });
    assert.equal(refusal(initial, report), 'no-evidence');
  }
});

test('the reporter must sign, and be a member', () => {
  const guilty = evidence(['notarize', one], ['notarize', two]);
  const report = consortium.report('north', guilty);
  const forged = { ...report, signatures: consortium.report('south', guilty).signatures };
  assert.equal(refusal(initial, forged), 'bad-signature');
  assert.equal(refusal(initial, consortium.report('nobody', guilty)), 'unknown-institution');
});

test('evidence is judged by the keys of its epoch, as long as they are kept', () => {
  const renewed = applied(
    initial,
    consortium.update('west', 2, certifiedKeys(ledger.chain, 'west', 'renewed'), boxOf('west').transaction),
  );
  const next = laterEpoch(renewed, 1);
  const old = consortium.report('north', evidence(['notarize', one], ['notarize', two]));
  assert.ok(applied(next, old).guilt(0, 'west') !== undefined);
  assert.equal(applied(next, old).guilt(1, 'west'), undefined);
  const inNext = { epoch: 1, view: 7 };
  const signed = (voter: typeof key) =>
    consortium.report('north', {
      ...inNext,
      validator: west,
      first: consortium.reportedVote('notarize', one, inNext, voter),
      second: consortium.reportedVote('notarize', two, inNext, voter),
    });
  assert.equal(refusal(next, signed(key)), 'no-evidence');
  assert.ok(applied(next, signed(signerOf('renewed voting'))).guilt(1, 'west') !== undefined);
  assert.equal(refusal(renewed, signed(key)), 'unknown-epoch');
  assert.equal(refusal(laterEpoch(renewed, epochsKeptMax + 1), old, next.epoch().startTime), 'unknown-epoch');
});

test('no report names one whose key did not sign both votes', () => {
  const kinds = ['notarize', 'nullify', 'finalize'] as const;
  const voters = ['north', 'south', 'east', 'west'];
  const someVote = fc.record({
    kind: fc.constantFrom(...kinds),
    digest: fc.constantFrom(one, two),
    view: fc.constantFrom(7, 8),
    epoch: fc.constantFrom(0, 1),
    voter: fc.constantFrom(...voters),
  });
  fc.assert(
    fc.property(someVote, someVote, fc.nat({ max: 5 }), (first, second, validator) => {
      const votes = [first, second].map(({ kind, digest, epoch, view, voter }) =>
        consortium.reportedVote(kind, digest, { epoch, view }, boxOf(voter).voting),
      );
      const [a, b] = votes as [EvidenceReport['first'], EvidenceReport['second']];
      const report = consortium.report('north', { ...place, validator, first: a, second: b });
      const decoded = decodeTransaction(encodeTransaction(report));
      assert.ok(decoded.kind === 'transaction');
      const named = voters[validator];
      const bothSigned = [first, second].every(
        ({ voter, view, epoch }) => voter === named && view === place.view && epoch === place.epoch,
      );
      const sameKind = first.kind === second.kind;
      const isOffence = sameKind
        ? first.kind !== 'nullify' && first.digest !== second.digest
        : [first, second].every(({ kind }) => kind !== 'notarize');
      if (bothSigned && isOffence) {
        assert.ok(applied(initial, report).guilt(0, named as string) !== undefined);
      } else {
        assert.equal(refusal(initial, report), 'no-evidence');
      }
    }),
    { numRuns: 300, seed: 4 },
  );
});
