/** release.publish and release.accept: the vendor's threshold and the consortium's, both. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  acceptanceMessage,
  decodeTransaction,
  encodeTransaction,
  toReleaseDigest,
} from '../../firmware/src/ledger/index.ts';
import { releasesListedMax } from '../../firmware/src/ledger/limits.ts';
import { isNewer } from '../../firmware/src/ledger/releases/release-record.ts';
import { noSeats } from '../../firmware/src/ledger/consortium/seats.ts';
import type { LedgerState } from '../../firmware/src/ledger/types.ts';
import { boxOf, bytesOf, LedgerFixture, vendorSignerOf, verifySignature } from '../fakes/ledger.ts';
import { ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { applied, refusal, soon } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const consortium = new ConsortiumFixture(ledger);
const digest = bytesOf('release 1.2.0');
const published = applied(ledger.initial, consortium.publish('1.2.0', [1, 3]));

test('a release is published by the vendor’s threshold of keys, once', () => {
  assert.deepEqual(published.release(toReleaseDigest(digest)), {
    version: '1.2.0',
    metadataHash: bytesOf('metadata 1.2.0'),
    publishedAt: soon,
    accepting: noSeats,
    acceptedAt: null,
  });
  assert.deepEqual(published.releases(), [digest]);
  assert.equal(refusal(published, consortium.publish('1.2.0', [1, 2])), 'release-exists');
  assert.equal(refusal(ledger.initial, consortium.publish('1.2.0', [1])), 'bad-signature');
  assert.equal(refusal(ledger.initial, consortium.publish('1.2.0', [1, 4])), 'bad-signature');
});

test('a consortium without a vendor publishes none, whoever signs', () => {
  const chainless = { keys: [], threshold: 0 };
  const proposal = consortium.proposeBody('north', { kind: 'vendor', vendor: chainless });
  let state = applied(ledger.initial, consortium.propose('north', proposal.action));
  for (const voter of ['south', 'east']) state = applied(state, consortium.vote(voter, proposal));
  assert.equal(refusal(state, consortium.publish('1.2.0', [1, 2, 3])), 'bad-signature');
  assert.equal(refusal(state, consortium.publish('1.2.0', [])), 'bad-signature', 'nor nobody');
});

test('signers are named once each, in ascending order', () => {
  for (const signers of [[], [1, 0], [1, 1], [16]]) {
    const { body } = consortium.publish('1.2.0', [1, 2]);
    const transaction = { body: { ...body, signers }, signatures: signers.map(() => new Uint8Array(64)) };
    assert.equal(
      decodeTransaction(encodeTransaction(transaction as typeof transaction & { body: typeof body })).kind,
      'refused',
    );
  }
});

test('it is accepted with the third of four institutions, each counted once', () => {
  const north = consortium.accept('north', '1.2.0');
  let state = applied(published, north);
  assert.equal(refusal(state, north), 'already-accepted');
  state = applied(state, consortium.accept('south', '1.2.0'), soon + 1);
  assert.equal(state.release(toReleaseDigest(digest))?.acceptedAt, null);
  state = applied(state, consortium.accept('west', '1.2.0'), soon + 2);
  assert.deepEqual(state.acceptedBy(toReleaseDigest(digest)), ['north', 'south', 'west']);
  assert.equal(state.release(toReleaseDigest(digest))?.acceptedAt, soon + 2);
  state = applied(state, consortium.accept('east', '1.2.0'), soon + 3);
  assert.equal(state.release(toReleaseDigest(digest))?.acceptedAt, soon + 2);
});

test('an acceptance is a detached signature that can be collected from the state', () => {
  const state = applied(published, consortium.accept('north', '1.2.0'));
  const signature = state.acceptanceOf(toReleaseDigest(digest), 'north');
  assert.ok(signature !== undefined);
  assert.equal(state.acceptanceOf(toReleaseDigest(digest), 'south'), undefined);
  const message = acceptanceMessage(ledger.chain, digest);
  assert.ok(verifySignature(boxOf('north').transaction.publicKey, message, signature));
  assert.equal(
    refusal(published, consortium.accept('north', '1.2.0', boxOf('south').transaction)),
    'bad-signature',
  );
  assert.equal(refusal(published, consortium.accept('north', '1.3.0')), 'unknown-release');
});

test('the acceptance of one that was removed meanwhile does not count', () => {
  let state = applied(published, consortium.accept('west', '1.2.0'));
  const proposal = consortium.proposeBody('north', { kind: 'remove', id: 'west' });
  state = applied(state, consortium.propose('north', proposal.action));
  for (const voter of ['south', 'east']) state = applied(state, consortium.vote(voter, proposal));
  for (const id of ['north', 'south']) state = applied(state, consortium.accept(id, '1.2.0'));
  assert.equal(state.release(toReleaseDigest(digest))?.acceptedAt, null);
  state = applied(state, consortium.accept('east', '1.2.0'));
  assert.equal(state.release(toReleaseDigest(digest))?.acceptedAt, soon);
});

test('the last releases are kept; older ones are gone with what was said of them', () => {
  const first = toReleaseDigest(bytesOf('release 2.0.0'));
  let state = applied(ledger.initial, consortium.publish('2.0.0', [1, 2]));
  state = applied(state, consortium.accept('north', '2.0.0'));
  assert.ok(state.acceptanceOf(first, 'north') !== undefined);
  for (let patch = 1; patch <= releasesListedMax; patch++) {
    state = applied(state, consortium.publish(`2.0.${patch}`, [1, 2]));
  }
  assert.equal(state.releases().length, releasesListedMax);
  assert.deepEqual(state.releases()[0], bytesOf('release 2.0.1'));
  assert.equal(state.release(first), undefined);
  assert.equal(state.acceptanceOf(first, 'north'), undefined);
});

/** The state after 2.0.0, accepted, and so many patches of it that it is gone. */
function outlived(): LedgerState {
  let state = applied(ledger.initial, consortium.publish('2.0.0', [1, 2]));
  for (const id of ['north', 'south', 'east']) state = applied(state, consortium.accept(id, '2.0.0'));
  for (let patch = 1; patch <= releasesListedMax; patch++)
    state = applied(state, consortium.publish(`2.0.${patch}`, [1, 2]));
  return state;
}

test('a release that is gone does not come back, nor anything as old', () => {
  const state = outlived();
  assert.equal(refusal(state, consortium.publish('2.0.0', [1, 2])), 'version-stale', 'the very same bytes');
  for (const version of ['1.9.9', '1.10.0', '2.0.0-2', '0.99.99'])
    assert.equal(refusal(state, consortium.publish(version, [1, 2])), 'version-stale', version);
  for (const version of ['2.0.100', '2.1.0', '10.0.0', '2.0.1-hotfix'])
    assert.ok(applied(state, consortium.publish(version, [1, 2])), version);
  const more = applied(
    applied(state, consortium.publish('2.1.0', [1, 2])),
    consortium.publish('2.2.0', [1, 2]),
  );
  assert.equal(refusal(more, consortium.publish('2.0.1', [1, 2])), 'version-stale');
  assert.equal(
    refusal(more, consortium.publish('2.0.2-b', [1, 2])),
    'version-stale',
    'the newest that is gone',
  );
});

test('another vendor begins anew; the same keys, or none and the same again, do not', () => {
  const signer = vendorSignerOf(9);
  const old = [1, 2, 3].map((number) => vendorSignerOf(number).publicKey);
  const vote = (state: LedgerState, keys: readonly Uint8Array[]): LedgerState => {
    const vendor = { keys, threshold: Math.min(1, keys.length) };
    const proposal = consortium.proposeBody('north', { kind: 'vendor', vendor });
    let after = applied(state, consortium.propose('north', proposal.action));
    for (const voter of ['south', 'east']) after = applied(after, consortium.vote(voter, proposal));
    return after;
  };
  const publishedBy = (number: number) => consortium.publish('1.0.0', [number], { signers: [0] });
  assert.ok(applied(vote(outlived(), [signer.publicKey]), publishedBy(9)));
  assert.equal(refusal(vote(outlived(), old), publishedBy(1)), 'version-stale');
  assert.equal(refusal(vote(vote(outlived(), []), old), publishedBy(1)), 'version-stale');
  assert.ok(
    applied(vote(vote(outlived(), []), [signer.publicKey]), publishedBy(9)),
    'after a time without a vendor, too',
  );
});

test('versions are compared by their numbers, of any length', () => {
  assert.equal(isNewer('1.10.0', '1.9.0'), true);
  assert.equal(isNewer('2.0.0', '1.99.99'), true);
  assert.equal(isNewer('1.0.0', '1.0.0'), false);
  assert.equal(isNewer('1.0.0', '1.0.0-rc1'), false);
  assert.equal(isNewer('0.0.9007199254740993', '0.0.9007199254740992'), true);
  assert.equal(isNewer('1.9.9', '2.0.0'), false);
});
