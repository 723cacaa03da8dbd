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
import { boxOf, bytesOf, LedgerFixture, verifySignature } from '../fakes/ledger.ts';
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
    acceptedBy: [],
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
  assert.deepEqual(state.release(toReleaseDigest(digest))?.acceptedBy, ['north', 'south', 'west']);
  assert.equal(state.release(toReleaseDigest(digest))?.acceptedAt, soon + 2);
  state = applied(state, consortium.accept('east', '1.2.0'), soon + 3);
  assert.equal(state.release(toReleaseDigest(digest))?.acceptedAt, soon + 2);
});

test('an acceptance is a detached signature that can be collected from the state', () => {
  const state = applied(published, consortium.accept('north', '1.2.0'));
  const acceptance = state.releaseAcceptance(toReleaseDigest(digest), 'north');
  assert.ok(acceptance !== undefined);
  const message = acceptanceMessage(ledger.chain, digest);
  assert.ok(verifySignature(boxOf('north').transaction.publicKey, message, acceptance.signature));
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
  assert.ok(state.releaseAcceptance(first, 'north') !== undefined);
  for (let patch = 1; patch <= releasesListedMax; patch++) {
    state = applied(state, consortium.publish(`2.0.${patch}`, [1, 2]));
  }
  assert.equal(state.releases().length, releasesListedMax);
  assert.deepEqual(state.releases()[0], bytesOf('release 2.0.1'));
  assert.equal(state.release(first), undefined);
  assert.equal(state.releaseAcceptance(first, 'north'), undefined);
});
