import assert from 'node:assert/strict';
import { test } from 'node:test';
import { basisId, idBytes, mayApplyLater, stateKeys } from '../../firmware/src/ledger/index.ts';
import type { AccessGrant, StudyId } from '../../firmware/src/ledger/types.ts';
import { bytesOf, LedgerFixture, signerOf } from '../fakes/ledger.ts';
import { applied, refusal, soon } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const owner = signerOf('owner');
const otherOwner = signerOf('other owner');
const grantee = signerOf('grantee');
const registration = ledger.register('north', 'batch', [owner, otherOwner]);
const [study, otherStudy] = registration.ids as readonly [StudyId, StudyId];
const registered = applied(ledger.initial, registration.transaction);

const first = ledger.grantBody(study, 1, grantee.publicKey);
const granted = applied(registered, ledger.sign(first, owner));

function grantOf(seq: number, change: Partial<AccessGrant> = {}): AccessGrant {
  return ledger.grantBody(study, seq, grantee.publicKey, change);
}

function revocationOf(grant: AccessGrant) {
  return ledger.sign(ledger.revokeBody(study, { basisId: idBytes(basisId(grant)) }), owner);
}

function revocationUpTo(upTo: number) {
  return ledger.sign(ledger.revokeBody(study, { upTo }), owner);
}

test('a grant stands, with the commitment of its moment', () => {
  assert.deepEqual(granted.basis(basisId(first)), {
    kind: 'grant',
    studyId: idBytes(study),
    ownerEpoch: 0,
    seq: 1,
    granteeKey: grantee.publicKey,
    notBefore: first.notBefore,
    expiry: first.expiry,
    maxOpens: 2,
    amendments: true,
    head: bytesOf('commitment batch 0 1'),
    opens: 0,
    grantedAt: soon,
    emergency: null,
  });
  assert.equal(granted.basisStands(basisId(first)), true);
  assert.equal(granted.study(study)?.grantSeq, 1);
  assert.equal(registered.basisStands(basisId(first)), false);
});

test('only the owner key of that study grants', () => {
  for (const signer of [otherOwner, grantee, ledger.box('north').transaction]) {
    assert.equal(refusal(registered, ledger.sign(first, signer)), 'bad-signature');
  }
});

test('grants come in an unbroken sequence, none twice', () => {
  assert.equal(refusal(granted, ledger.sign(first, owner)), 'seq-stale');
  assert.equal(refusal(registered, ledger.sign(grantOf(2), owner)), 'seq-gap');
  assert.equal(mayApplyLater('seq-gap'), true);
  assert.equal(mayApplyLater('seq-stale'), false);
  assert.ok(applied(granted, ledger.sign(grantOf(2), owner)).basisStands(basisId(grantOf(2))));
});

test('a grant for a study that does not stand is refused', () => {
  assert.equal(refusal(ledger.initial, ledger.sign(first, owner)), 'unknown-study');
});

test('a grant under another owner epoch is refused', () => {
  assert.equal(refusal(registered, ledger.sign(grantOf(1, { ownerEpoch: 1 }), owner)), 'owner-epoch-gap');
});

test('a grant that has expired in block time is refused', () => {
  const grant = grantOf(1, { expiry: soon });
  assert.equal(refusal(registered, ledger.sign(grant, owner), soon), 'basis-expired');
  assert.ok(applied(registered, ledger.sign(grant, owner), soon - 1));
});

test('a grantee key with torsion or of small order is refused', () => {
  const granteeKey = Buffer.from('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'hex');
  assert.equal(refusal(registered, ledger.sign(grantOf(1, { granteeKey }), owner)), 'bad-key');
});

test('a revoked grant no longer stands, and stays on the ledger', () => {
  const state = applied(granted, revocationOf(first), soon + 1);
  assert.equal(state.basisStands(basisId(first)), false);
  assert.ok(state.basis(basisId(first)));
  assert.notEqual(state.prove(stateKeys.revoked(basisId(first))).value, null);
  assert.equal(refusal(state, revocationOf(first)), 'already-revoked');
});

test('a single revocation leaves other grants alone', () => {
  const second = grantOf(2);
  const both = applied(granted, ledger.sign(second, owner));
  const state = applied(both, revocationOf(first));
  assert.equal(state.basisStands(basisId(second)), true);
});

test('a revocation before the grant arrives stops it, and the next grant takes its number', () => {
  const state = applied(registered, revocationOf(first));
  assert.equal(refusal(state, ledger.sign(first, owner)), 'revoked');
  assert.equal(refusal(state, revocationOf(first)), 'already-revoked');
  const another = grantOf(1, { termsHash: bytesOf('other terms') });
  assert.equal(applied(state, ledger.sign(another, owner)).basisStands(basisId(another)), true);
});

test('a revocation up to a number holds for grants that stand and for those on their way', () => {
  const state = applied(granted, revocationUpTo(3));
  assert.equal(state.basisStands(basisId(first)), false);
  for (const seq of [2, 3]) assert.equal(refusal(state, ledger.sign(grantOf(seq), owner)), 'revoked');
  assert.equal(refusal(state, revocationUpTo(3)), 'already-revoked');
  assert.equal(refusal(state, revocationOf(first)), 'already-revoked');
  assert.equal(refusal(state, ledger.sign(grantOf(5), owner)), 'seq-gap');
  const next = grantOf(4);
  assert.equal(applied(state, ledger.sign(next, owner)).basisStands(basisId(next)), true);
});

test('a revocation up to a number far ahead of all grants is refused', () => {
  assert.ok(applied(granted, revocationUpTo(1 + 1024)));
  assert.equal(refusal(granted, revocationUpTo(1 + 1025)), 'seq-gap');
});

test('only the owner key of that study revokes', () => {
  for (const target of [{ basisId: idBytes(basisId(first)) }, { upTo: 1 }]) {
    const body = ledger.revokeBody(study, target);
    for (const state of [granted, registered]) {
      assert.equal(refusal(state, ledger.sign(body, otherOwner)), 'bad-signature');
      assert.equal(refusal(state, ledger.sign({ ...body, ownerEpoch: 1 }, owner)), 'owner-epoch-gap');
    }
    assert.equal(refusal(ledger.initial, ledger.sign(body, owner)), 'unknown-study');
  }
});

test("another study's owner cannot revoke a grant that stands", () => {
  const body = ledger.revokeBody(otherStudy, { basisId: idBytes(basisId(first)) });
  assert.equal(refusal(granted, ledger.sign(body, otherOwner)), 'wrong-study');
});

test("another study's owner can neither stop a grant on its way nor take away its revocation", () => {
  // Its id may have been seen in the mempool.
  const body = ledger.revokeBody(otherStudy, { basisId: idBytes(basisId(first)) });
  const state = applied(registered, ledger.sign(body, otherOwner));
  assert.equal(applied(state, ledger.sign(first, owner)).basisStands(basisId(first)), true);
  const revoked = applied(state, revocationOf(first));
  assert.equal(refusal(revoked, ledger.sign(first, owner)), 'revoked');
});
