/** From C-STORE to the catalogue: what is acknowledged is on disk under its study, what is not leaves nothing. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import { Keeper } from '../../firmware/src/ingest/keeper.ts';
import type { DataSetHeader, StoreRequest } from '../../firmware/src/ports.ts';
import { chunkLeaf, instanceKey } from '../../firmware/src/protocol/commitments.ts';
import { instancePrefix } from '../../firmware/src/protocol/instance-prefix.ts';
import { chunkBytes } from '../../firmware/src/protocol/limits.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import { headerBytesMax } from '../../firmware/src/studies/limits.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { MemoryObjectDisk, MemoryObjectStore } from '../fakes/object-store.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { openPlainScanner, plainDataSet } from '../support/plain-data-set.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const header: DataSetHeader = {
  sopInstanceUid: '1.2.3.4',
  studyInstanceUid: '1.2',
  seriesInstanceUid: '1.2.3',
  patientId: 'N-1001',
  patientName: 'Canary^Winifred',
  modality: 'CT',
  studyDate: '20260105',
  studyDescription: 'Thorax',
};

const request: StoreRequest = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
  sopInstanceUid: '1.2.3.4',
  transferSyntaxUid: '1.2.840.10008.1.2.1',
  callingAeTitle: 'CT_1',
};

class Reception {
  readonly disk = new MemoryObjectDisk();
  readonly logger = new RecordingLogger();
  readonly health = new MemoryHealthBoard();
  catalogue = new Catalogue(new MemoryObjectStore(this.disk));

  async send(
    dataSet: Uint8Array,
    { as = request, pieceBytes = 65_536 }: { as?: StoreRequest; pieceBytes?: number } = {},
  ): Promise<number> {
    const keeper = new Keeper({
      catalogue: this.catalogue,
      health: this.health,
      openHeaderScanner: openPlainScanner,
      clock: new ManualClock(),
      logger: this.logger,
    });
    const sink = keeper.receive(as);
    try {
      for (let at = 0; at < dataSet.length; at += pieceBytes)
        await sink.write(dataSet.subarray(at, at + pieceBytes));
      return (await sink.finish()).status;
    } catch (error) {
      await sink.abort(error as Error);
      throw error;
    }
  }

  get studies(): readonly KeptStudy[] {
    return this.catalogue.studies();
  }

  get files(): number {
    return [...this.disk.studies.values()].reduce((sum, { objects }) => sum + objects.size, 0);
  }
}

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

test('the same object again is acknowledged and kept once; other bytes under its UID are kept beside it', async () => {
  const reception = new Reception();
  const dataSet = plainDataSet(header, utf8('first'));
  for (let i = 0; i < 3; i++) assert.equal(await reception.send(dataSet), 0);
  const [study] = reception.studies;
  assert.equal(study?.objects.length, 1);
  assert.equal(reception.files, 1);
  assert.equal(await reception.send(plainDataSet(header, utf8('other'))), 0);
  assert.equal(study?.objects.length, 2);
  assert.ok(reception.logger.lines.some((line) => line.includes('both kept')));
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

const refused: readonly (readonly [string, Uint8Array, StoreRequest, string])[] = [
  [
    'no study UID',
    plainDataSet({ ...header, studyInstanceUid: undefined as never }),
    request,
    'OBJECT_MISMATCH',
  ],
  [
    'no series UID',
    plainDataSet({ ...header, seriesInstanceUid: undefined as never }),
    request,
    'OBJECT_MISMATCH',
  ],
  [
    'another instance than its request',
    plainDataSet({ ...header, sopInstanceUid: '1.9' }),
    request,
    'OBJECT_MISMATCH',
  ],
  ['a header that cannot be parsed', utf8('no JSON\n'), request, 'OBJECT_UNREADABLE'],
  ['an end inside its header', utf8('{"sopInstanceUid"'), request, 'OBJECT_UNREADABLE'],
  ['nothing in it', new Uint8Array(0), request, 'OBJECT_UNREADABLE'],
];

for (const [name, dataSet, as, code] of refused) {
  test(`an object with ${name} is not acknowledged and leaves nothing`, async () => {
    const reception = new Reception();
    await assert.rejects(reception.send(dataSet, { as }), { code });
    assert.deepEqual(reception.studies, []);
    assert.equal(reception.disk.studies.size, 0);
    assert.ok(!reception.logger.lines.join().includes('Canary'));
  });
}

test('a request without valid UIDs is refused before a byte is read', () => {
  const reception = new Reception();
  for (const change of [
    { sopInstanceUid: '' },
    { sopClassUid: 'a b' },
    { transferSyntaxUid: '1'.repeat(65) },
  ])
    assert.throws(
      () =>
        new Keeper({
          catalogue: reception.catalogue,
          health: new MemoryHealthBoard(),
          openHeaderScanner: openPlainScanner,
          clock: new ManualClock(),
          logger: reception.logger,
        }).receive({ ...request, ...change }),
      { code: 'OBJECT_MISMATCH' },
    );
});

test('a header without end is refused at the limit, whatever the size of its pieces', async () => {
  for (const pieceBytes of [100_000, 1_048_576]) {
    const reception = new Reception();
    let taken = 0;
    const sink = new Keeper({
      catalogue: reception.catalogue,
      health: new MemoryHealthBoard(),
      openHeaderScanner: () => ({
        push: (chunk) => {
          taken += chunk.length;
          return { kind: 'more' };
        },
        end: () => ({ kind: 'malformed', reason: 'no end' }),
        close: () => undefined,
      }),
      clock: new ManualClock(),
      logger: reception.logger,
    }).receive(request);
    await assert.rejects(
      async () => {
        for (;;) await sink.write(new Uint8Array(pieceBytes));
      },
      { code: 'OBJECT_UNREADABLE' },
    );
    assert.ok(taken <= headerBytesMax + pieceBytes, `${taken} bytes were held`);
  }
});

test('a full disk is never an acknowledgement, at whatever point it is full', async () => {
  const dataSet = plainDataSet(header, randomBytes(100_000));
  for (const point of ['before', 'in the middle']) {
    const reception = new Reception();
    await reception.send(plainDataSet({ ...header, sopInstanceUid: '1.2.3.0' }), {
      as: { ...request, sopInstanceUid: '1.2.3.0' },
    });
    const keeper = new Keeper({
      catalogue: reception.catalogue,
      health: new MemoryHealthBoard(),
      openHeaderScanner: openPlainScanner,
      clock: new ManualClock(),
      logger: reception.logger,
    });
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
  const keeper = new Keeper({
    catalogue: reception.catalogue,
    health: new MemoryHealthBoard(),
    openHeaderScanner: openPlainScanner,
    clock: new ManualClock(),
    logger: reception.logger,
  });
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
    if (restarted) {
      reception.catalogue = new Catalogue(new MemoryObjectStore(reception.disk));
      await reception.catalogue.load(() => undefined);
    }
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

test('an object without a valid study or series UID is refused, since it would fall into one study with all others', async () => {
  for (const wrong of [
    { studyInstanceUid: '' },
    { studyInstanceUid: '1.2\\1.3' },
    { seriesInstanceUid: '' },
    { studyInstanceUid: '1'.repeat(65) },
  ]) {
    const reception = new Reception();
    await assert.rejects(reception.send(plainDataSet({ ...header, ...wrong })), { code: 'OBJECT_MISMATCH' });
    assert.equal(reception.studies.length, 0);
  }
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
