/** Bases that the owner did not sign: referrals by the source, emergencies by a member; and the list of all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  basisId,
  idBytes,
  mayApplyLater,
  stateKeys,
  studyBasisRecord,
} from '../../firmware/src/ledger/index.ts';
import { emergencyOpensMax, revocationsAheadMax } from '../../firmware/src/ledger/limits.ts';
import type { AccessEmergency, LedgerState, StudyId } from '../../firmware/src/ledger/types.ts';
import { bytesOf, LedgerFixture, signerOf } from '../fakes/ledger.ts';
import { confirmBody, emergencyBody, referBody, transferBody } from '../fakes/ledger-studies.ts';
import { applied, refusal, soon } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const owner = signerOf('owner');
const grantee = signerOf('grantee');
const source = ledger.box('north').transaction;
const south = ledger.box('south').transaction;
const registration = ledger.register('north', 'batch', [owner, signerOf('other')]);
const [study, otherStudy] = registration.ids as readonly [StudyId, StudyId];
const registered = applied(ledger.initial, registration.transaction);
const head = bytesOf('commitment batch 0 1');
const { emergencyMs, confirmMs } = ledger.initial.parameters();

const referral = referBody(ledger, 'north', study, 1, grantee.publicKey);
const referred = applied(registered, ledger.sign(referral, source));

test('a referral is a basis like a grant, with a sequence of its own', () => {
  const { note, termsHash, ephemeral, tag, source: by, type, chain, validUntil, ...kept } = referral;
  assert.ok(note.length > 0 && [termsHash, ephemeral, tag, by, type, chain, validUntil].length === 7);
  assert.deepEqual(referred.basis(basisId(referral)), {
    ...kept,
    kind: 'referral',
    head,
    opens: 0,
    grantedAt: soon,
    emergency: null,
  });
  const grant = ledger.sign(ledger.grantBody(study, 1, grantee.publicKey), owner);
  const both = applied(referred, grant);
  assert.equal(both.study(study)?.referralSeq, 1);
  assert.equal(both.study(study)?.grantSeq, 1);
  const third = (seq: number) =>
    ledger.sign(referBody(ledger, 'north', study, seq, grantee.publicKey), source);
  assert.equal(refusal(both, third(1)), 'seq-stale');
  assert.equal(refusal(both, third(3)), 'seq-gap');
  assert.ok(applied(both, third(2)));
});

test('only the source refers', () => {
  assert.equal(refusal(registered, ledger.sign(referral, owner)), 'bad-signature');
  assert.equal(refusal(registered, ledger.sign(referral, south)), 'bad-signature');
  const elsewhere = referBody(ledger, 'south', study, 1, grantee.publicKey);
  assert.equal(refusal(registered, ledger.sign(elsewhere, south)), 'not-the-source');
});

test('a referral opens, is counted, and closes', () => {
  const open = ledger.openBody('north', referral, 1, head);
  const opened = applied(referred, ledger.sign(open, grantee, source));
  assert.equal(opened.study(study)?.opens, 1);
  assert.equal(opened.basis(basisId(referral))?.opens, 1);
  assert.deepEqual(opened.open(study, 1)?.basisId, idBytes(basisId(referral)));
  assert.ok(applied(opened, ledger.sign(ledger.closeBody(open), grantee, source)));
});

for (const [by, signer] of [
  ['the owner', owner],
  ['the source', source],
] as const) {
  test(`a referral is taken back by ${by}`, () => {
    const revocation = ledger.revokeBody(study, { basisId: idBytes(basisId(referral)) });
    const revoked = applied(referred, ledger.sign(revocation, signer));
    const open = ledger.sign(ledger.openBody('north', referral, 1, head), grantee, source);
    assert.equal(refusal(revoked, open), 'revoked');
    assert.equal(refusal(revoked, ledger.sign(revocation, signer)), 'already-revoked');
  });
}

test('a source takes no grant back, and nobody else a referral', () => {
  const grant = ledger.grantBody(study, 1, grantee.publicKey);
  const granted = applied(referred, ledger.sign(grant, owner));
  const ofGrant = ledger.revokeBody(study, { basisId: idBytes(basisId(grant)) });
  assert.equal(refusal(granted, ledger.sign(ofGrant, source)), 'bad-signature');
  const ofReferral = ledger.revokeBody(study, { basisId: idBytes(basisId(referral)) });
  assert.equal(refusal(granted, ledger.sign(ofReferral, south)), 'bad-signature');
  assert.equal(refusal(granted, ledger.sign(ofReferral, grantee)), 'bad-signature');
});

test('a source’s revocation that overtakes its referral waits for it, and is no forgery', () => {
  const revocation = ledger.revokeBody(study, { basisId: idBytes(basisId(referral)) });
  const bySource = ledger.sign(revocation, source);
  assert.equal(refusal(registered, bySource), 'unknown-basis');
  assert.ok(mayApplyLater('unknown-basis'));
  assert.ok(!applied(referred, bySource).basisStands(basisId(referral)));
  assert.equal(refusal(registered, ledger.sign(revocation, south)), 'bad-signature', 'another member’s');
  let full = registered;
  for (let ahead = 0; ahead < revocationsAheadMax; ahead++) {
    const target = { basisId: bytesOf(`on its way ${ahead}`) };
    full = applied(full, ledger.sign(ledger.revokeBody(study, target), owner));
  }
  assert.equal(refusal(full, ledger.sign(revocation, owner)), 'too-many-revocations');
  assert.equal(refusal(full, bySource), 'unknown-basis', 'it takes no room among the owner’s');
});

test('a referral that was revoked before it arrived never stands; revoking all grants leaves referrals', () => {
  const ahead = ledger.revokeBody(study, { basisId: idBytes(basisId(referral)) });
  const state = applied(registered, ledger.sign(ahead, owner));
  assert.equal(refusal(state, ledger.sign(referral, source)), 'revoked');
  const upTo = applied(referred, ledger.sign(ledger.revokeBody(study, { upTo: 5 }), owner));
  assert.ok(upTo.basisStands(basisId(referral)));
});

const emergency = emergencyBody(ledger, 'south', study, grantee.publicKey);
const declared = applied(registered, ledger.sign(emergency, south));
const opening = (openNo: number, of: AccessEmergency = emergency, validUntil = Number.MAX_SAFE_INTEGER) =>
  ledger.sign(ledger.openBody('north', of, openNo, head, { validUntil }), grantee, source);

test('an emergency shows who declared it, holds for its time, and has no number that others could hold up', () => {
  assert.deepEqual(declared.basis(basisId(emergency)), {
    kind: 'emergency',
    studyId: idBytes(study),
    ownerEpoch: 0,
    seq: 0,
    granteeKey: grantee.publicKey,
    notBefore: soon,
    expiry: soon + emergencyMs,
    maxOpens: emergencyOpensMax,
    amendments: true,
    head,
    opens: 0,
    grantedAt: soon,
    emergency: { institution: 'south', confirmBy: soon + confirmMs, confirmed: null },
  });
  const east = emergencyBody(ledger, 'east', study, grantee.publicKey);
  assert.ok(applied(declared, ledger.sign(east, ledger.box('east').transaction)));
  assert.equal(refusal(declared, ledger.sign(emergency, south)), 'basis-exists');
});

test('a member declares it with its own key; a stranger cannot', () => {
  for (const signer of [source, owner, grantee]) {
    assert.equal(refusal(registered, ledger.sign(emergency, signer)), 'bad-signature');
  }
  const stranger = emergencyBody(ledger, 'stranger', study, grantee.publicKey);
  assert.equal(refusal(registered, ledger.sign(stranger, south)), 'unknown-institution');
});

test('it opens at once; without confirmation not after its time; with it until it expires', () => {
  assert.ok(applied(declared, opening(1)));
  assert.ok(applied(declared, opening(1), soon + confirmMs - 1));
  assert.equal(refusal(declared, opening(1), soon + confirmMs), 'emergency-unconfirmed');
  assert.equal(mayApplyLater('emergency-unconfirmed'), false);
  const confirmed = applied(declared, ledger.sign(confirmBody(ledger, emergency), south));
  assert.deepEqual(confirmed.basis(basisId(emergency))?.emergency, {
    institution: 'south',
    confirmBy: soon + confirmMs,
    confirmed: { digest: bytesOf('second clinician'), at: soon },
  });
  assert.ok(applied(confirmed, opening(1), soon + emergencyMs - 1));
  assert.equal(refusal(confirmed, opening(1), soon + emergencyMs), 'basis-expired');
});

test('it is confirmed once, in time, by the member that declared it', () => {
  const confirm = confirmBody(ledger, emergency, { validUntil: soon + 10 * emergencyMs });
  assert.equal(refusal(registered, ledger.sign(confirm, south)), 'unknown-basis');
  assert.equal(refusal(declared, ledger.sign(confirm, source)), 'bad-signature');
  const other = { ...confirm, institution: 'east' };
  assert.equal(refusal(declared, ledger.sign(other, ledger.box('east').transaction)), 'not-the-grantee');
  assert.equal(
    refusal(declared, ledger.sign({ ...confirm, studyId: idBytes(otherStudy) }, south)),
    'wrong-study',
  );
  assert.equal(refusal(declared, ledger.sign(confirm, south), soon + confirmMs), 'emergency-unconfirmed');
  const confirmed = applied(declared, ledger.sign(confirm, south), soon + confirmMs - 1);
  assert.equal(refusal(confirmed, ledger.sign(confirm, south)), 'already-confirmed');
  const ofReferral = { ...confirm, basisId: idBytes(basisId(referral)) };
  assert.equal(refusal(referred, ledger.sign(ofReferral, south)), 'no-emergency');
});

test('neither revocation nor a new owner ends an emergency', () => {
  const revocation = ledger.revokeBody(study, { basisId: idBytes(basisId(emergency)) });
  for (const signer of [owner, source, south]) {
    assert.equal(refusal(declared, ledger.sign(revocation, signer)), 'not-revocable');
  }
  const next = signerOf('next');
  const moved = applied(declared, ledger.sign(transferBody(ledger, study, next), owner, next));
  assert.ok(moved.basisStands(basisId(emergency)));
  assert.ok(applied(moved, opening(1)));
});

test('all bases of a study are listed in the order in which they became final', () => {
  const grant = ledger.grantBody(study, 1, grantee.publicKey);
  let state: LedgerState = referred;
  state = applied(state, ledger.sign(emergency, south));
  state = applied(state, ledger.sign(grant, owner));
  const listed = Array.from({ length: state.study(study)?.bases ?? 0 }, (_, index) => {
    const { value } = state.prove(stateKeys.studyBasis(study, index + 1));
    const decoded = value && studyBasisRecord.decode(value);
    assert.ok(decoded?.kind === 'decoded');
    return decoded.value.basisId;
  });
  assert.deepEqual(
    listed,
    [referral, emergency, grant].map((body) => idBytes(basisId(body))),
  );
  assert.equal(state.prove(stateKeys.studyBasis(study, 4)).value, null);
});
