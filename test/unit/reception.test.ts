/** From C-STORE to the catalogue: what is acknowledged is on disk under its study, what is not leaves nothing. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import { chunkLeaf, instanceKey } from '../../firmware/src/protocol/commitments.ts';
import { instancePrefix } from '../../firmware/src/protocol/instance-prefix.ts';
import { chunkBytes } from '../../firmware/src/protocol/limits.ts';
import { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import { headerBytesMax } from '../../firmware/src/studies/limits.ts';
import { plainDataSet } from '../support/plain-data-set.ts';
import { header, Reception, request } from '../support/reception.ts';

async function bytesOf(study: KeptStudy, index = 0): Promise<Buffer> {
  const object = study.objects[index];
  assert.ok(object !== undefined);
  const reader = await study.folder.openObject(KeptStudy.stored(object));
  const parts: Uint8Array[] = [];
  for (let n = 0; n < reader.segmentCount; n++) parts.push(await reader.segment(n));
  await reader.close();
  return Buffer.concat(parts);
}

for (const pieceBytes of [1, 7, 5_000, 10_000_000]) {
  test(`an object in pieces of ${pieceBytes} bytes is kept as it came, after its identity`, async () => {
    const reception = new Reception();
    const dataSet = plainDataSet(header, randomBytes(pieceBytes === 1 ? 500 : 2 * chunkBytes + 9));
    assert.equal(await reception.send(dataSet, { pieceBytes }), 0);
    const [study] = reception.studies;
    assert.ok(study !== undefined);
    const whole = Buffer.concat([instancePrefix(request), dataSet]);
    assert.ok((await bytesOf(study)).equals(whole));
    const [object] = study.objects;
    assert.ok(object !== undefined);
    const key = instanceKey(study.created.salt, object.number);
    const leaves: Uint8Array[] = [];
    for (let n = 0; n * chunkBytes < whole.length; n++)
      leaves.push(chunkLeaf(key, n, whole.subarray(n * chunkBytes, (n + 1) * chunkBytes)));
    assert.ok(Buffer.concat(leaves).equals(object.leaves), 'the commitment is to these bytes');
    assert.deepEqual(
      [
        study.created.studyInstanceUid,
        study.created.date,
        study.created.callingAeTitle,
        object.header.modality,
      ],
      ['1.2', '20260105', 'CT_1', 'CT'],
    );
  });
}

test('the same object again is acknowledged and kept once', async () => {
  const reception = new Reception();
  const dataSet = plainDataSet(header, utf8('first'));
  for (let i = 0; i < 3; i++) assert.equal(await reception.send(dataSet), 0);
  const [study] = reception.studies;
  assert.equal(study?.objects.length, 1);
  assert.equal(reception.files, 1);
});

test('objects of one study that arrive at the same time get one study', async () => {
  const reception = new Reception();
  const uids = Array.from({ length: 8 }, (_, i) => `1.2.3.${i}`);
  await Promise.all(
    uids.map((sopInstanceUid) =>
      reception.send(plainDataSet({ ...header, sopInstanceUid }), { as: { ...request, sopInstanceUid } }),
    ),
  );
  assert.equal(reception.studies.length, 1);
  assert.equal(reception.studies[0]?.objects.length, 8);
  assert.equal(new Set(reception.studies[0]?.objects.map(({ number }) => number)).size, 8);
});

test('a request without valid UIDs is refused before a byte is read', () => {
  const reception = new Reception();
  for (const change of [
    { sopInstanceUid: '' },
    { sopClassUid: 'a b' },
    { transferSyntaxUid: '1'.repeat(65) },
  ])
    assert.throws(() => reception.keeper().receive({ ...request, ...change }), { code: 'OBJECT_MISMATCH' });
});

test('a header without end is held in memory up to the limit, whatever the size of its pieces', async () => {
  for (const pieceBytes of [100_000, 1_048_576]) {
    const reception = new Reception();
    let scanned = 0;
    let closed = 0;
    const sink = reception
      .keeper(() => ({
        push: (chunk) => {
          scanned += chunk.length;
          return { kind: 'more' };
        },
        end: () => ({ kind: 'malformed', reason: 'no end' }),
        close: () => {
          closed++;
        },
      }))
      .receive(request);
    let sent = 0;
    for (; sent < 2 * headerBytesMax; sent += pieceBytes) await sink.write(new Uint8Array(pieceBytes));
    assert.equal(closed, 1, 'nobody looks at its header any more');
    assert.ok(scanned <= headerBytesMax + pieceBytes, `${scanned} bytes were held`);
    assert.equal((await sink.finish()).status, 0xc000);
    assert.deepEqual(
      reception.quarantine.list().map(({ reason, stored }) => [reason, stored.length]),
      [['unreadable', sent]],
    );
  }
});

test('a full disk is never an acknowledgement, at whatever point it is full', async () => {
  const dataSet = plainDataSet(header, randomBytes(100_000));
  for (const point of ['before', 'in the middle']) {
    const reception = new Reception();
    await reception.send(plainDataSet({ ...header, sopInstanceUid: '1.2.3.0' }), {
      as: { ...request, sopInstanceUid: '1.2.3.0' },
    });
    const keeper = reception.keeper();
    if (point === 'before') reception.disk.failing = true;
    const sink = keeper.receive(request);
    await assert.rejects(
      async () => {
        await sink.write(dataSet.subarray(0, 50_000));
        reception.disk.failing = true;
        await sink.write(dataSet.subarray(50_000));
        await sink.finish();
      },
      { code: 'STORE_FAILED' },
    );
    await sink.abort(new Error('full'));
    assert.equal(reception.studies[0]?.objects.length, 1);
    assert.equal(reception.disk.begun, 0, 'no file stays open');
  }
});

test('an association that is aborted leaves nothing, and its number is not given again to another object', async () => {
  const reception = new Reception();
  const keeper = reception.keeper();
  const sink = keeper.receive(request);
  await sink.write(plainDataSet(header, randomBytes(1000)));
  await sink.abort(new Error('Canary^Winifred'));
  assert.equal(reception.files, 0);
  assert.ok(!reception.logger.lines.join().includes('Canary'));
  await reception.send(plainDataSet(header));
  assert.equal(reception.studies[0]?.objects[0]?.number, 1);
});

test('the catalogue is the same after a restart: studies, objects, what was fetched', async () => {
  const reception = new Reception();
  await reception.send(plainDataSet(header, randomBytes(10)));
  const fetched = await reception.catalogue.obtain({
    is: 'study',
    studyInstanceUid: '1.2',
    salt: randomBytes(32),
    origin: { kind: 'fetched', source: 'south', studyId: 'ab'.repeat(32) as never },
    patient: { patientId: '', issuer: '', name: '', birthDate: '', sex: '' },
    callingAeTitle: '',
    date: '',
    description: '',
    at: 0,
  });
  const [own] = reception.studies;
  const [object] = own?.objects ?? [];
  assert.ok(object !== undefined);
  await fetched.append({ ...object, sopInstanceUid: '1.2.3.9' });
  reception.catalogue.changed(fetched);
  for (const restarted of [false, true]) {
    if (restarted) await reception.restart();
    assert.equal(reception.studies.length, 2, 'one UID, fetched and own, are two');
    assert.equal(reception.catalogue.wasFetched('1.2.3.9'), true);
    assert.equal(reception.catalogue.wasFetched('1.2.3.4'), false);
    assert.equal(
      reception.studies.find(({ created }) => created.origin.kind === 'modality')?.bytes,
      own?.bytes,
    );
  }
  // What the own PACS routes back is kept, apart from what a modality sent.
  const back = { ...header, sopInstanceUid: '1.2.3.9' };
  await reception.send(plainDataSet(back), { as: { ...request, sopInstanceUid: '1.2.3.9' } });
  assert.deepEqual(reception.studies.map(({ created }) => created.origin.kind).toSorted(), [
    'fetched',
    'modality',
    'returned',
  ]);
});

test('objects of two patients under one study UID are kept apart, with an alarm', async () => {
  const reception = new Reception();
  const patient = {
    patientId: 'A-1',
    patientName: 'Canary^Winifred',
    patientBirthDate: '19500101',
    patientSex: 'F',
  };
  const other = {
    patientId: 'B-2',
    patientName: 'Robin^Rowan',
    patientBirthDate: '19800202',
    patientSex: 'M',
  };
  const sendAs = (uid: string, who: object) =>
    reception.send(plainDataSet({ ...header, sopInstanceUid: uid, ...who }, randomBytes(20)), {
      as: { ...request, sopInstanceUid: uid },
    });
  assert.equal(await sendAs('1.2.3.1', patient), 0);
  assert.deepEqual(reception.health.list(), []);
  assert.equal(await sendAs('1.2.3.2', other), 0, 'it is kept');
  assert.equal(await sendAs('1.2.3.3', patient), 0);
  assert.equal(await sendAs('1.2.3.4', { ...patient, patientSex: '', patientName: 'CANARY^WINIFRED^^' }), 0);
  assert.deepEqual(
    reception.studies.map(({ created, objects }) => [created.patient.patientId, objects.length]),
    [
      ['A-1', 3],
      ['B-2', 1],
    ],
  );
  assert.ok(reception.health.list().some(({ code }) => code === 'STUDY_SHARED'));
});

test('the same object over several associations at once is kept once, and acknowledged to all', async () => {
  const reception = new Reception();
  const dataSet = plainDataSet(header, randomBytes(3_000));
  const answers = await Promise.all(Array.from({ length: 5 }, () => reception.send(dataSet)));
  assert.deepEqual(answers, [0, 0, 0, 0, 0]);
  assert.equal(reception.studies[0]?.objects.length, 1);
  assert.equal(reception.files, 1, 'no file is left over');
});

test('a disk that fails is an alarm until it takes an object again', async () => {
  const reception = new Reception();
  reception.disk.failing = true;
  await assert.rejects(reception.send(plainDataSet(header)), { code: 'STORE_FAILED' });
  assert.deepEqual(
    reception.health.list().map(({ code }) => code),
    ['STORE_FAILED'],
  );
  reception.disk.failing = false;
  assert.equal(await reception.send(plainDataSet(header)), 0);
  assert.deepEqual(reception.health.list(), []);
});
