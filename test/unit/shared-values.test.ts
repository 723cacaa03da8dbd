/** A catalogue is memory: what it costs to hold an object, and that nothing of it is lost by holding it together. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { decodeOwn, encodeCanonical } from '../../firmware/src/encoding/canonical-cbor.ts';
import type { DataSetHeader, StudyFolder } from '../../firmware/src/ports.ts';
import { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import { toRecord, type ObjectKept, type StudyCreated } from '../../firmware/src/studies/manifest.ts';
import { sharingValues } from '../../firmware/src/studies/shared-values.ts';
import { realClock } from '../fakes/real-clock.ts';
import { heapInUse } from '../support/heap.ts';

const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2';
/** They are 1,100; without sharing 2,000. */
const bytesPerObjectMax = 1_400;

function objectOf(number: number, leaves: Uint8Array = randomBytes(32)): ObjectKept {
  const sopInstanceUid = `1.2.826.0.1.3680043.8.498.${1_000_000 + number}`;
  const header: DataSetHeader = {
    patientName: 'Doe^Jane',
    patientId: 'P-1',
    studyInstanceUid: '1.2.826.0.1.3680043.8.498.1',
    seriesInstanceUid: '1.2.826.0.1.3680043.8.498.2',
    sopClassUid: ctImageStorage,
    sopInstanceUid,
    studyDate: '20260101',
    studyTime: '101112',
    studyDescription: 'CT thorax',
    seriesDescription: 'axial',
    modality: 'CT',
    accessionNumber: 'A-1',
    instanceNumber: `${number}`,
  };
  return {
    is: 'object',
    number,
    fileRef: randomBytes(16).toString('hex'),
    frame: 1000 * number,
    length: 20_000,
    lastTag: new Uint8Array(randomBytes(16)),
    instanceKey: new Uint8Array(randomBytes(32)),
    leaves: new Uint8Array(leaves),
    corrects: null,
    sopClassUid: ctImageStorage,
    sopInstanceUid,
    transferSyntaxUid: '1.2.840.10008.1.2.1',
    callingAeTitle: 'CT1',
    header,
    at: 1_767_225_600_000,
  };
}

const created: StudyCreated = {
  is: 'study',
  studyInstanceUid: '1.2.826.0.1.3680043.8.498.1',
  salt: new Uint8Array(32),
  origin: { kind: 'modality' },
  patient: { patientId: 'P-1', issuer: '', name: 'Doe^Jane', birthDate: '', sex: '' },
  callingAeTitle: 'CT1',
  date: '20260101',
  description: 'CT thorax',
  at: 0,
};

/** What the turn under way still holds is given up at its end. */
async function heapAtRest(): Promise<number> {
  heapInUse();
  await realClock.sleep(20);
  return heapInUse();
}

test('what is held together says the same', () => {
  const before = objectOf(1);
  for (const object of [objectOf(2), objectOf(3, randomBytes(96)), objectOf(4, new Uint8Array(0))]) {
    const same = sharingValues(object, before);
    assert.deepEqual(same, object);
    assert.deepEqual(sharingValues(object, undefined), object);
    assert.equal(same.instanceKey.buffer, same.leaves.buffer);
  }
  const other: ObjectKept = {
    ...objectOf(5),
    sopClassUid: '1.2.3',
    transferSyntaxUid: '1.2.840.10008.1.2',
    callingAeTitle: 'MR1',
    header: { sopInstanceUid: '1.2.3.4', modality: 'MR' },
  };
  assert.deepEqual(sharingValues(other, before), other);
});

test('an object of a restored study takes little memory', async () => {
  const objects = 10_000;
  const records = [created, ...Array.from({ length: objects }, (_, number) => objectOf(number))];
  const encoded = records.map((record) => Buffer.from(encodeCanonical(toRecord(record))));
  records.length = 0;
  const before = await heapAtRest();
  const study = KeptStudy.restore({
    folder: { ref: 'a study' } as StudyFolder,
    records: encoded.map((bytes) => decodeOwn(bytes)),
  });
  const bytes = ((await heapAtRest()) - before) / objects;
  assert.equal(study?.objects.length, objects);
  assert.equal(encoded.length, objects + 1, 'what was encoded is held, and not counted');
  assert.ok(bytes < bytesPerObjectMax, `an object takes ${Math.round(bytes)} bytes`);
});
