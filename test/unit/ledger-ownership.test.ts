/** Who owns a study: transfer by its owner, reassignment by its source with time to object. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idBytes, mayApplyLater, reassignmentId, basisId } from '../../firmware/src/ledger/index.ts';
import type { LedgerState, StudyId, StudyReassign } from '../../firmware/src/ledger/types.ts';
import { bytesOf, LedgerFixture, signerOf } from '../fakes/ledger.ts';
import {
  completeBody,
  emergencyBody,
  objectBody,
  reassignBody,
  referBody,
  statusAct,
  transferBody,
} from '../fakes/ledger-studies.ts';
import { applied, refusal, soon } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const owner = signerOf('owner');
const next = signerOf('next owner');
const grantee = signerOf('grantee');
const source = ledger.box('north').transaction;
const registration = ledger.register('north', 'batch', [owner]);
const [study] = registration.ids as readonly [StudyId];
const registered = applied(ledger.initial, registration.transaction);
const head = bytesOf('commitment batch 0 1');
const { objectionMs } = ledger.initial.parameters();

const grant = ledger.grantBody(study, 1, grantee.publicKey);
const referral = referBody(ledger, 'north', study, 1, grantee.publicKey);
const used = applied(applied(registered, ledger.sign(grant, owner)), ledger.sign(referral, source));
const transfer = transferBody(ledger, study, next);
const transferred = applied(used, ledger.sign(transfer, owner, next));

test('a transfer makes the new key the owner and leaves the rest as it was', () => {
  assert.deepEqual(transferred.study(study), {
    ...used.study(study),
    ownerKey: next.publicKey,
    ownerEpoch: 1,
    ephemeral: transfer.ephemeral,
    tag: transfer.tag,
    noteHash: transfer.noteHash,
  });
});

test('a transfer needs the owner and the new key, in this order', () => {
  for (const signers of [
    [owner],
    [owner, owner],
    [next, owner],
    [next, next],
    [source, next],
    [owner, next, next],
  ]) {
    assert.equal(refusal(used, ledger.sign(transfer, ...signers)), 'bad-signature');
  }
});

test('a transfer ends all grants and referrals, and what the owner before signed', () => {
  assert.equal(transferred.basisStands(basisId(grant)), false);
  assert.equal(transferred.basisStands(basisId(referral)), false);
  for (const basis of [grant, referral]) {
    const open = ledger.openBody('north', basis, 1, head);
    assert.ok(applied(used, ledger.sign(open, grantee, source)));
    assert.equal(refusal(transferred, ledger.sign(open, grantee, source)), 'owner-epoch-stale');
  }
  const second = ledger.grantBody(study, 2, grantee.publicKey);
  assert.equal(refusal(transferred, ledger.sign(second, owner)), 'owner-epoch-stale');
  assert.equal(
    refusal(transferred, ledger.sign(ledger.revokeBody(study, { upTo: 1 }), owner)),
    'owner-epoch-stale',
  );
  assert.equal(refusal(transferred, ledger.sign(transfer, owner, next)), 'owner-epoch-stale');
});

test('the new owner goes on where the one before ended', () => {
  const third = ledger.grantBody(study, 2, grantee.publicKey, { ownerEpoch: 1 });
  assert.equal(refusal(transferred, ledger.sign(third, owner)), 'bad-signature');
  assert.ok(applied(transferred, ledger.sign(third, next)));
  assert.equal(refusal(used, ledger.sign(third, next)), 'owner-epoch-gap');
  assert.equal(mayApplyLater('owner-epoch-gap'), true);
  assert.equal(mayApplyLater('owner-epoch-stale'), false);
});

test('a transfer brings the note of the version that stands', () => {
  const amended = applied(used, ledger.amend('north', study, 2));
  assert.equal(refusal(amended, ledger.sign(transfer, owner, next)), 'version-stale');
  const early = { ...transfer, version: 2 };
  assert.equal(refusal(used, ledger.sign(early, owner, next)), 'version-gap');
  assert.ok(applied(amended, ledger.sign(early, owner, next)));
});

const torsioned = new Uint8Array(
  Buffer.from('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'hex'),
);

test('no study is handed to a key with torsion', () => {
  // Its signature cannot verify by the one rule; the reassignment needs none of the new key.
  const body = { ...transfer, newOwnerKey: torsioned };
  assert.equal(refusal(used, ledger.sign(body, owner, next)), 'bad-signature');
  const reassign = reassignBody(ledger, 'north', study, { publicKey: torsioned });
  assert.equal(refusal(used, ledger.sign(reassign, source)), 'bad-key');
});

const reassign = reassignBody(ledger, 'north', study, next);
const pending = applied(used, ledger.sign(reassign, source));
const effectiveFrom = soon + objectionMs;
const complete = completeBody(ledger, reassign);
const completed = applied(pending, ledger.sign(complete, source), effectiveFrom);

test('a reassignment waits: until it is complete nothing changes but that it is pending', () => {
  assert.deepEqual(pending.study(study), {
    ...used.study(study),
    actSeq: 1,
    reassignment: {
      id: reassignmentId(reassign),
      ownerKey: next.publicKey,
      ephemeral: reassign.ephemeral,
      tag: reassign.tag,
      noteHash: reassign.noteHash,
      effectiveFrom,
    },
  });
  assert.ok(pending.basisStands(basisId(grant)));
});

test('it is completed after the time to object, and not before', () => {
  assert.equal(refusal(pending, ledger.sign(complete, source), effectiveFrom - 1), 'time-to-object');
  assert.equal(mayApplyLater('time-to-object'), true);
  assert.deepEqual(completed.study(study), {
    ...used.study(study),
    ownerKey: next.publicKey,
    ownerEpoch: 1,
    ephemeral: reassign.ephemeral,
    tag: reassign.tag,
    noteHash: complete.noteHash,
    actSeq: 2,
  });
  assert.equal(completed.basisStands(basisId(grant)), false);
  assert.equal(refusal(completed, ledger.sign(complete, source), effectiveFrom), 'act-stale');
});

test('its completion brings the note of the version that stands then', () => {
  const amended = applied(pending, ledger.amend('north', study, 2));
  assert.equal(refusal(amended, ledger.sign(complete, source), effectiveFrom), 'version-stale');
  const body = completeBody(ledger, reassign, { version: 2 });
  assert.ok(applied(amended, ledger.sign(body, source), effectiveFrom));
  assert.equal(refusal(pending, ledger.sign(body, source), effectiveFrom), 'version-gap');
});

function objected(by: 'owner' | 'new-owner', state: LedgerState = pending): LedgerState {
  const signer = by === 'owner' ? owner : next;
  return applied(state, ledger.sign(objectBody(ledger, reassign, by), signer));
}

for (const by of ['owner', 'new-owner'] as const) {
  test(`an objection of the ${by} cancels it, also after its time until it is complete`, () => {
    const body = objectBody(ledger, reassign, by);
    for (const wrong of [by === 'owner' ? next : owner, source, grantee]) {
      assert.equal(refusal(pending, ledger.sign(body, wrong)), 'bad-signature');
    }
    const state = objected(by);
    assert.equal(state.study(study)?.reassignment, null);
    assert.deepEqual(state.study(study)?.ownerKey, owner.publicKey);
    assert.equal(refusal(state, ledger.sign(complete, source), effectiveFrom), 'unknown-reassignment');
    const late = ledger.sign({ ...body, validUntil: effectiveFrom + 1 }, by === 'owner' ? owner : next);
    assert.equal(applied(pending, late, effectiveFrom + 1).study(study)?.reassignment, null);
    assert.equal(refusal(completed, late, effectiveFrom + 1), 'unknown-reassignment');
  });
}

test('an objection holds for one reassignment only, and none is replayed', () => {
  const state = objected('owner');
  assert.equal(refusal(state, ledger.sign(reassign, source)), 'act-stale');
  const again: StudyReassign = { ...reassign, actSeq: 2 };
  const second = applied(state, ledger.sign(again, source));
  const stale = ledger.sign(objectBody(ledger, reassign, 'owner'), owner);
  assert.equal(refusal(second, stale), 'unknown-reassignment');
  assert.equal(mayApplyLater('unknown-reassignment'), true, 'the objection may overtake what it is about');
});

test('access stops while a reassignment is pending, and goes on when somebody objects', () => {
  const signers = [grantee, source] as const;
  const open = ledger.sign(ledger.openBody('north', grant, 1, head), ...signers);
  const more = ledger.sign(ledger.grantBody(study, 2, grantee.publicKey), owner);
  const referMore = ledger.sign(referBody(ledger, 'north', study, 2, grantee.publicKey), source);
  const south = ledger.box('south').transaction;
  const emergency = ledger.sign(emergencyBody(ledger, 'south', study, grantee.publicKey), south);
  const objected = applied(pending, ledger.sign(objectBody(ledger, reassign, 'owner'), owner));
  for (const transaction of [open, more, referMore, emergency]) {
    assert.equal(refusal(pending, transaction), 'reassignment-pending', transaction.body.type);
    assert.ok(applied(objected, transaction), transaction.body.type);
  }
});

test('one reassignment at a time, by the source alone, of what is neither rescinded nor erased', () => {
  const another = ledger.sign({ ...reassign, actSeq: 2 }, source);
  assert.equal(refusal(pending, another), 'reassignment-pending');
  assert.equal(mayApplyLater('reassignment-pending'), true);
  assert.equal(refusal(used, ledger.sign(reassign, owner)), 'bad-signature');
  const elsewhere = reassignBody(ledger, 'south', study, next);
  assert.equal(refusal(used, ledger.sign(elsewhere, ledger.box('south').transaction)), 'not-the-source');
  const frozen = applied(used, statusAct(ledger, 'study.freeze', 'north', study, 1));
  assert.ok(applied(frozen, another), 'a source that has doubts freezes the study first');
  for (const type of ['study.rescind', 'study.erase'] as const) {
    const ended = applied(used, statusAct(ledger, type, 'north', study, 1));
    assert.equal(refusal(ended, another), type === 'study.rescind' ? 'study-rescinded' : 'study-erased');
    const dropped = applied(pending, statusAct(ledger, type, 'north', study, 2));
    assert.equal(dropped.study(study)?.reassignment, null);
  }
});

test('a transfer by the owner objects to a pending reassignment', () => {
  const state = applied(pending, ledger.sign(transfer, owner, next));
  assert.equal(state.study(study)?.reassignment, null);
  assert.deepEqual(idBytes(study), transfer.studyId);
});
