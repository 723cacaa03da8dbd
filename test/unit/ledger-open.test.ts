import assert from 'node:assert/strict';
import { test } from 'node:test';
import { basisId, idBytes, openId, stateKeys } from '../../firmware/src/ledger/index.ts';
import type { AccessOpen, LedgerState, StudyId } from '../../firmware/src/ledger/types.ts';
import { bytesOf, keysExpiry, LedgerFixture, signerOf } from '../fakes/ledger.ts';
import { applied, refusal, soon } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const owner = signerOf('owner');
const grantee = signerOf('grantee');
const source = ledger.box('north').transaction;
const registration = ledger.register('north', 'batch', [owner, signerOf('other owner')]);
const [study, otherStudy] = registration.ids as readonly [StudyId, StudyId];
const registered = applied(ledger.initial, registration.transaction);
const head = bytesOf('commitment batch 0 1');

const grant = ledger.grantBody(study, 1, grantee.publicKey, {
  notBefore: soon,
  expiry: soon + 10_000,
  maxOpens: 2,
});
const granted = applied(registered, ledger.sign(grant, owner));

function openOf(openNo: number, change: Partial<AccessOpen> = {}, of = grant): AccessOpen {
  return ledger.openBody('north', of, openNo, head, change);
}

const signed = (body: AccessOpen) => ledger.sign(body, grantee, source);
const opened = applied(granted, signed(openOf(1)));
const close = ledger.closeBody(openOf(1));

test('an open is counted in the study and in the grant, and stands under its number', () => {
  assert.equal(opened.study(study)?.opens, 1);
  assert.equal(opened.basis(basisId(grant))?.opens, 1);
  assert.deepEqual(opened.open(study, 1), {
    openId: idBytes(openId(openOf(1))),
    basisId: idBytes(basisId(grant)),
    openNo: 1,
    head,
    openedAt: soon,
    closed: null,
  });
  assert.equal(opened.open(study, 2), undefined);
  assert.deepEqual(opened.openById(openId(openOf(1))), opened.open(study, 1));
  assert.equal(opened.openById(openId(openOf(2))), undefined);
  assert.equal(opened.prove(stateKeys.open(study, 2)).value, null);
});

test('an open needs the grantee and the source, in this order', () => {
  for (const signers of [
    [source, grantee],
    [grantee, grantee],
    [source, source],
    [grantee, ledger.box('south').transaction],
    [owner, source],
  ]) {
    assert.equal(refusal(granted, ledger.sign(openOf(1), ...signers)), 'bad-signature');
  }
  assert.equal(refusal(granted, ledger.sign(openOf(1), grantee)), 'bad-signature');
});

test('opens are numbered one by one: of parallel ones with a number, one wins', () => {
  assert.equal(refusal(opened, signed(openOf(1))), 'open-no-stale');
  assert.equal(refusal(opened, signed(openOf(1, { validUntil: soon + 1 }))), 'open-no-stale');
  assert.equal(refusal(granted, signed(openOf(2))), 'open-no-gap');
});

test('no grant is opened more often than it allows', () => {
  const twice = applied(opened, signed(openOf(2)));
  assert.equal(refusal(twice, signed(openOf(3))), 'opens-exhausted');
  assert.equal(twice.study(study)?.opens, 2);
});

test('a grant opens from its first moment to before its last', () => {
  assert.equal(refusal(granted, signed(openOf(1)), soon - 1), 'basis-not-yet-valid');
  assert.ok(applied(granted, signed(openOf(1)), soon));
  assert.ok(applied(granted, signed(openOf(1)), soon + 9999));
  assert.equal(refusal(granted, signed(openOf(1)), soon + 10_000), 'basis-expired');
});

test('a revoked grant does not open, however it was revoked', () => {
  for (const target of [{ basisId: idBytes(basisId(grant)) }, { upTo: 1 }]) {
    const revoked = applied(granted, ledger.sign(ledger.revokeBody(study, target), owner));
    assert.equal(refusal(revoked, signed(openOf(1))), 'revoked');
  }
});

test('only the source of the study opens it', () => {
  const body = openOf(1, { source: 'south' });
  assert.equal(
    refusal(granted, ledger.sign(body, grantee, ledger.box('south').transaction)),
    'not-the-source',
  );
  assert.equal(refusal(granted, signed(openOf(1, { source: 'stranger' }))), 'unknown-institution');
});

test('study and grant must stand, and belong together', () => {
  assert.equal(refusal(registered, signed(openOf(1))), 'unknown-basis');
  assert.equal(refusal(granted, signed(openOf(1, { studyId: bytesOf('no study') }))), 'unknown-study');
  assert.equal(refusal(granted, signed(openOf(1, { studyId: idBytes(otherStudy) }))), 'wrong-study');
});

test('a grant that covers amendments opens the current version only', () => {
  const amended = applied(granted, ledger.amend('north', study, 2));
  const current = bytesOf(`commitment ${study} 2`);
  assert.equal(refusal(amended, signed(openOf(1))), 'wrong-head');
  assert.ok(applied(amended, signed(openOf(1, { head: current }))));
});

test('a grant without amendments opens the version of its moment only', () => {
  const narrow = ledger.grantBody(study, 1, grantee.publicKey, { amendments: false });
  const state = applied(applied(registered, ledger.sign(narrow, owner)), ledger.amend('north', study, 2));
  const current = bytesOf(`commitment ${study} 2`);
  assert.equal(refusal(state, signed(openOf(1, { head: current }, narrow))), 'wrong-head');
  assert.ok(applied(state, signed(openOf(1, {}, narrow))));
});

test('a source whose keys have expired opens nothing', () => {
  const long = ledger.grantBody(study, 1, grantee.publicKey, { expiry: keysExpiry * 2 });
  const state = applied(registered, ledger.sign(long, owner));
  const open = signed(openOf(1, { validUntil: keysExpiry }, long));
  assert.equal(refusal(state, open, keysExpiry), 'institution-keys-expired');
});

function closing(state: LedgerState, body = close) {
  return refusal(state, ledger.sign(body, grantee, source));
}

test('an open is closed once, with digest and size', () => {
  const closed = applied(opened, ledger.sign(close, grantee, source), soon + 5000);
  assert.deepEqual(closed.open(study, 1)?.closed, { digest: close.digest, sizeBucket: 27, at: soon + 5000 });
  assert.equal(closing(closed), 'already-closed');
  assert.equal(closing(closed, { ...close, sizeBucket: 1 }), 'already-closed');
});

test('closing needs the grantee and the source of that open', () => {
  assert.equal(refusal(opened, ledger.sign(close, source, grantee)), 'bad-signature');
  assert.equal(refusal(opened, ledger.sign(close, owner, source)), 'bad-signature');
  const elsewhere = { ...close, source: 'south' };
  assert.equal(
    refusal(opened, ledger.sign(elsewhere, grantee, ledger.box('south').transaction)),
    'not-the-source',
  );
});

test('only an open of that study is closed', () => {
  assert.equal(closing(granted), 'unknown-open');
  assert.equal(closing(opened, { ...close, studyId: idBytes(otherStudy) }), 'wrong-study');
  assert.equal(closing(opened, { ...close, studyId: bytesOf('no study') }), 'unknown-study');
});

test('expiry and revocation do not keep a receipt from being closed', () => {
  const revoked = applied(opened, ledger.sign(ledger.revokeBody(study, { upTo: 1 }), owner));
  assert.ok(applied(revoked, ledger.sign(close, grantee, source), grant.expiry + 1));
});

test('opens under several grants are numbered through the study', () => {
  const other = signerOf('other grantee');
  const second = ledger.grantBody(study, 2, other.publicKey);
  const both = applied(opened, ledger.sign(second, owner));
  const open = ledger.openBody('north', second, 1, head);
  const state = applied(both, ledger.sign(open, other, source));
  assert.equal(state.study(study)?.opens, 2);
  assert.deepEqual(state.open(study, 2)?.basisId, idBytes(basisId(second)));
  assert.equal(state.open(study, 2)?.openNo, 1);
  assert.equal(state.basis(basisId(second))?.opens, 1);
});
