/** What one institution makes the state keep in an epoch, all its transactions together: at each limit, and beyond. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idBytes, stateKeys } from '../../firmware/src/ledger/index.ts';
import {
  accessRecordsOfEpochMax,
  bulkStudiesOfEpochMax,
  emergencyRecordsOfEpochMax,
  furtherGrantRecordsOfEpochMax,
  grantsOfStudyFree,
  registrationsOfEpochMax,
} from '../../firmware/src/ledger/limits.ts';
import {
  recordsOfEpoch,
  type RecordKind,
  type RecordsOfEpoch,
} from '../../firmware/src/ledger/records-of-epoch.ts';
import { asSnapshot } from '../../firmware/src/ledger/state.ts';
import { studyRecord } from '../../firmware/src/ledger/studies/study-record.ts';
import type { LedgerState, StudyAmend, StudyId, StudyLeaf } from '../../firmware/src/ledger/types.ts';
import { boxOf, bytesOf, LedgerFixture, signerOf } from '../fakes/ledger.ts';
import {
  emergencyBody,
  reassignBody,
  referBody,
  registerBulk,
  statusAct,
  transferBody,
} from '../fakes/ledger-studies.ts';
import { applied, refusal } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const owner = signerOf('owner');
const grantee = signerOf('grantee');
const north = boxOf('north').transaction;
const south = boxOf('south').transaction;
const registration = ledger.register('north', 'singly', [owner]);
const [study] = registration.ids as readonly [StudyId];
const bulk = registerBulk(ledger, 'north', 'bulk', [owner, signerOf('other')]);
const [inBulk] = bulk.ids as readonly [StudyId];
const [leaf] = bulk.leaves as readonly [StudyLeaf];
const registered = applied(applied(ledger.initial, registration.transaction), bulk.transaction);
const nothing: RecordsOfEpoch = {
  epoch: 0,
  registrations: 0,
  bulkStudies: 0,
  access: 0,
  emergencies: 0,
  furtherGrants: 0,
};

function recordsOf(state: LedgerState, institution: string): RecordsOfEpoch {
  return asSnapshot(state).get(recordsOfEpoch, stateKeys.records(institution)) ?? nothing;
}

/** The state in which the institution has made so many records of the kind, in this epoch or another. */
function having(state: LedgerState, institution: string, kind: RecordKind, count: number, epoch = 0) {
  return asSnapshot(state).put(recordsOfEpoch, stateKeys.records(institution), {
    ...nothing,
    [kind]: count,
    epoch,
  });
}

const referral = ledger.sign(referBody(ledger, 'north', study, 1, grantee.publicKey), north);
const grant = ledger.grantBody(study, 1, grantee.publicKey);
const granted = applied(registered, ledger.sign(grant, owner));
const head = bytesOf('commitment singly 0 1');
const open = ledger.sign(ledger.openBody('north', grant, 1, head), grantee, north);
const emergency = emergencyBody(ledger, 'south', study, grantee.publicKey);
const declared = applied(registered, ledger.sign(emergency, south));
const openInEmergency = ledger.sign(ledger.openBody('north', emergency, 1, head), grantee, north);

test('a source’s registrations are counted by their records, and what is in bulk by its studies, too', () => {
  assert.deepEqual(recordsOf(registered, 'north'), { ...nothing, registrations: 2, bulkStudies: 2 });
  const two = [signerOf('one'), signerOf('two')];
  const some = ledger.register('north', 'two', two).transaction;
  const another = registerBulk(ledger, 'north', 'another', two).transaction;
  const almost = having(registered, 'north', 'registrations', registrationsOfEpochMax - 2);
  assert.equal(recordsOf(applied(almost, some), 'north').registrations, registrationsOfEpochMax);
  const full = having(registered, 'north', 'registrations', registrationsOfEpochMax - 1);
  assert.equal(refusal(full, some), 'too-many-registrations');
  assert.ok(applied(full, another), 'one record for both');
  assert.ok(applied(full, ledger.register('south', 'south', two).transaction), 'of another source');
  assert.ok(applied(having(registered, 'north', 'registrations', registrationsOfEpochMax, 7), some));
  assert.ok(applied(having(registered, 'north', 'bulkStudies', bulkStudiesOfEpochMax - 2), another));
  const studies = having(registered, 'north', 'bulkStudies', bulkStudiesOfEpochMax - 1);
  assert.equal(refusal(studies, another), 'too-many-registrations');
});

test('referrals, opens and first uses by a source are counted together, whichever studies they are of', () => {
  const amendment: Partial<StudyAmend> = { leaf };
  const firstUses = [
    ledger.amend('north', inBulk, 2, amendment),
    statusAct(ledger, 'study.freeze', 'north', inBulk, 1, { leaf }),
    ledger.sign(reassignBody(ledger, 'north', inBulk, signerOf('right person'), { leaf }), north),
  ];
  const referralInBulk = ledger.sign(
    referBody(ledger, 'north', inBulk, 1, grantee.publicKey, { leaf }),
    north,
  );
  const costs = [
    ...firstUses.map((transaction) => ({ transaction, count: 1 })),
    { transaction: referral, count: 2 },
    { transaction: referralInBulk, count: 3 },
    { transaction: open, count: 2 },
  ];
  for (const { transaction, count } of costs) {
    const almost = having(granted, 'north', 'access', accessRecordsOfEpochMax - count);
    assert.equal(
      recordsOf(applied(almost, transaction), 'north').access,
      accessRecordsOfEpochMax,
      transaction.body.type,
    );
    const full = having(granted, 'north', 'access', accessRecordsOfEpochMax - count + 1);
    assert.equal(refusal(full, transaction), 'too-many-accesses', transaction.body.type);
    assert.ok(applied(having(granted, 'north', 'registrations', registrationsOfEpochMax), transaction));
  }
});

test('a second act on a study in bulk makes no record', () => {
  const used = applied(registered, ledger.amend('north', inBulk, 2, { leaf }));
  const full = having(used, 'north', 'access', accessRecordsOfEpochMax);
  assert.ok(applied(full, ledger.amend('north', inBulk, 3, { leaf })));
});

test('emergencies of a member and the opens under them are counted together, of all studies', () => {
  const opened = applied(declared, openInEmergency);
  assert.equal(recordsOf(opened, 'south').emergencies, 4 + 2);
  const max = emergencyRecordsOfEpochMax;
  assert.ok(applied(having(registered, 'south', 'emergencies', max - 4), ledger.sign(emergency, south)));
  const full = having(registered, 'south', 'emergencies', max - 3);
  assert.equal(refusal(full, ledger.sign(emergency, south)), 'too-many-emergencies');
  const another = emergencyBody(ledger, 'east', study, grantee.publicKey);
  assert.ok(applied(full, ledger.sign(another, boxOf('east').transaction)), 'of another member');
  assert.equal(
    refusal(having(declared, 'south', 'emergencies', max - 1), openInEmergency),
    'too-many-emergencies',
  );
});

test('a source that has used up its own keeps nobody from an emergency', () => {
  const full = having(declared, 'north', 'access', accessRecordsOfEpochMax);
  assert.equal(recordsOf(applied(full, openInEmergency), 'north').access, accessRecordsOfEpochMax);
});

test('the first grants of a study are its owner’s, whatever others did; further ones of all studies are counted together', () => {
  const record = registered.study(study);
  assert.ok(record !== undefined);
  const full = having(registered, 'north', 'furtherGrants', furtherGrantRecordsOfEpochMax - 1);
  const withGrants = (state: LedgerState, grants: number): LedgerState =>
    asSnapshot(state).put(studyRecord, stateKeys.study(study), { ...record, grants });
  assert.ok(applied(withGrants(full, grantsOfStudyFree - 1), ledger.sign(grant, owner)));
  assert.equal(refusal(withGrants(full, grantsOfStudyFree), ledger.sign(grant, owner)), 'too-many-accesses');
  const further = applied(withGrants(registered, grantsOfStudyFree), ledger.sign(grant, owner));
  assert.equal(recordsOf(further, 'north').furtherGrants, 2);
});

test('nothing keeps an owner from taking back, or from handing over', () => {
  const state = asSnapshot(granted).put(recordsOfEpoch, stateKeys.records('north'), {
    epoch: 0,
    registrations: registrationsOfEpochMax,
    bulkStudies: bulkStudiesOfEpochMax,
    access: accessRecordsOfEpochMax,
    emergencies: emergencyRecordsOfEpochMax,
    furtherGrants: furtherGrantRecordsOfEpochMax,
  });
  assert.ok(applied(state, ledger.sign(ledger.revokeBody(study, { upTo: 1 }), owner)));
  const ahead = { ...ledger.revokeBody(inBulk, { basisId: idBytes(study) }), leaf };
  assert.ok(applied(state, ledger.sign(ahead, owner)), 'the first use of its study');
  const heir = signerOf('heir');
  assert.ok(applied(state, ledger.sign(transferBody(ledger, inBulk, heir, { leaf }), owner, heir)));
});
