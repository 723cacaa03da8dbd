/** What is kept of an object whose place is taken or that has none: new versions, quarantine, what an administrator decides. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import { judgeCollision, type Collision } from '../../firmware/src/ingest/keeping-policy.ts';
import { correctionsMax, correctionsMsMax } from '../../firmware/src/ingest/limits.ts';
import type { QuarantineEntry } from '../../firmware/src/ingest/quarantine.ts';
import { reasonText } from '../../firmware/src/ingest/quarantined.ts';
import type { DataSetHeader, StoreOutcome, StoreRequest, StudyFolder } from '../../firmware/src/ports.ts';
import { chunkBytes } from '../../firmware/src/protocol/limits.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import { keptDataSet } from '../../firmware/src/studies/kept-data-set.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import type { ObjectKept } from '../../firmware/src/studies/manifest.ts';
import { MemoryObjectStore } from '../fakes/object-store.ts';
import { plainDataSet } from '../support/plain-data-set.ts';
import { header, Reception, request } from '../support/reception.ts';
import { settle } from '../support/until.ts';

const pixels = randomBytes(500);
const original = plainDataSet(header, pixels);
const corrected = plainDataSet({ ...header, studyDescription: 'Thorax and abdomen' }, pixels);
const otherPixels = plainDataSet(header, randomBytes(500));

async function dataSetOf(study: KeptStudy | undefined, object: ObjectKept | undefined): Promise<Buffer> {
  assert.ok(study !== undefined && object !== undefined);
  const parts: Uint8Array[] = [];
  for await (const part of keptDataSet(study, object)) parts.push(part);
  return Buffer.concat(parts);
}

/** Its objects are on the disk only when that promise resolves. */
class SlowStore extends MemoryObjectStore {
  readonly #flushed: Promise<void>;

  constructor(flushed: Promise<void>) {
    super();
    this.#flushed = flushed;
  }

  override async createStudy(): Promise<StudyFolder> {
    const folder = await super.createStudy();
    const createObject = folder.createObject.bind(folder);
    folder.createObject = (leafKeys) => {
      const writer = createObject(leafKeys);
      const finish = writer.finish.bind(writer);
      writer.finish = async () => {
        const sealed = await finish();
        return {
          ...sealed,
          append: async (recordOf) => {
            await Promise.all([sealed.append(recordOf), this.#flushed]);
          },
        };
      };
      return writer;
    };
    return folder;
  }
}

const reasons = (reception: Reception): readonly string[] =>
  reception.quarantine.list().map(({ reason }) => reason);

function only(reception: Reception): QuarantineEntry {
  const [entry, ...more] = reception.quarantine.list();
  assert.ok(entry !== undefined && more.length === 0);
  return entry;
}

const alarms = (reception: Reception): readonly string[] => reception.health.list().map(({ code }) => code);

test('a collision is a correction only with the same pixels, comparable, from a trusted sender', () => {
  const digest = (byte: number) => ({ kind: 'digest', digest: new Uint8Array(32).fill(byte) }) as const;
  const unreadable = { kind: 'unreadable', reason: 'it ends within an element' } as const;
  const same: Collision = {
    transferSyntaxUid: { held: '1.2.1', came: '1.2.1' },
    sopClassUid: { held: '1.3', came: '1.3' },
    pixels: { held: digest(1), came: digest(1) },
    senderMayCorrect: true,
    recentCorrections: 0,
  };
  const cases: readonly (readonly [Partial<Collision>, string])[] = [
    [{}, 'correction'],
    [{ senderMayCorrect: false }, 'other attributes'],
    [{ recentCorrections: correctionsMax - 1 }, 'correction'],
    [{ recentCorrections: correctionsMax }, 'corrected too often'],
    [{ recentCorrections: correctionsMax, senderMayCorrect: false }, 'other attributes'],
    [{ pixels: { held: digest(1), came: digest(2) } }, 'other pixels'],
    [{ pixels: { held: digest(1), came: digest(2) }, senderMayCorrect: false }, 'other pixels'],
    [{ pixels: { held: unreadable, came: digest(1) } }, 'not comparable'],
    [{ pixels: { held: unreadable, came: unreadable } }, 'not comparable'],
    [{ transferSyntaxUid: { held: '1.2.1', came: '1.2.2' } }, 'not comparable'],
    [{ sopClassUid: { held: '1.3', came: '1.4' } }, 'not comparable'],
  ];
  for (const [change, expected] of cases) {
    const verdict = judgeCollision({ ...same, ...change });
    assert.equal(verdict.kind === 'correction' ? 'correction' : verdict.reason, expected);
  }
});

test('whoever sends what is held already is said to, so that it is told from what was kept', async () => {
  const reception = new Reception();
  const endings: StoreOutcome[] = [];
  for (let time = 1; time <= 2; time++) {
    const sink = reception.keeper().receive(request);
    await sink.write(original);
    endings.push(await sink.finish());
  }
  assert.deepEqual(endings, [{ status: 0 }, { status: 0, wasHeld: true }]);
  assert.equal(reception.studies[0]?.objects.length, 1);
});

test('other attributes from a trusted sender: a new version stands, the old one stays readable, also after a restart', async () => {
  const reception = new Reception();
  await reception.send(original);
  assert.equal(await reception.send(corrected, { mayCorrect: true }), 0);
  assert.equal(await reception.send(corrected, { mayCorrect: true }), 0, 'repeated');
  for (const restarted of [false, true]) {
    if (restarted) await reception.restart();
    const [study] = reception.studies;
    assert.equal(study?.objects.length, 2);
    const [first, second] = study.objects;
    assert.deepEqual([first?.corrects, second?.corrects], [null, first?.number]);
    assert.deepEqual(study.newest, [second]);
    assert.deepEqual(study.newestOf(1), [first], 'as it stood before');
    assert.ok((await dataSetOf(study, first)).equals(original));
    assert.ok((await dataSetOf(study, second)).equals(corrected));
    assert.deepEqual(reasons(reception), []);
  }
});

test('the original that a PACS sends again is no correction of its correction', async () => {
  const reception = new Reception();
  await reception.send(original);
  await reception.send(corrected, { mayCorrect: true });
  assert.equal(await reception.send(original, { mayCorrect: true }), 0);
  assert.equal(reception.studies[0]?.objects.length, 2);
});

test('versions follow each other: the newest corrects the one before it', async () => {
  const reception = new Reception();
  await reception.send(original);
  for (const studyDescription of ['one', 'two', 'three'])
    await reception.send(plainDataSet({ ...header, studyDescription }, pixels), { mayCorrect: true });
  const [study] = reception.studies;
  const numbers = study?.objects.map(({ number }) => number) ?? [];
  assert.deepEqual(
    study?.objects.map(({ corrects }) => corrects),
    [null, ...numbers.slice(0, 3)],
  );
  assert.deepEqual(
    study.newest.map(({ header: { studyDescription } }) => studyDescription),
    ['three'],
  );
});

test('two systems that correct each other for ever are stopped, with an alarm; a correction on another day is kept', async () => {
  const reception = new Reception();
  await reception.send(original);
  const round = (n: number): Promise<number> =>
    reception.send(plainDataSet({ ...header, studyDescription: `round ${n}` }, pixels), { mayCorrect: true });
  for (let n = 1; n <= correctionsMax; n++) assert.equal(await round(n), 0);
  assert.deepEqual(reasons(reception), []);
  assert.equal(await round(correctionsMax + 1), 0, 'it is on disk');
  assert.equal(await round(correctionsMax + 2), 0);
  assert.deepEqual(reasons(reception), ['corrected too often', 'corrected too often']);
  assert.deepEqual(alarms(reception), ['OBJECT_QUARANTINED']);
  assert.equal(reception.studies[0]?.objects.length, 1 + correctionsMax);
  reception.clock.advance(correctionsMsMax);
  await round(correctionsMax + 3);
  assert.equal(reception.studies[0]?.objects.length, 2 + correctionsMax);
});

const collisions: readonly (readonly [string, Uint8Array, { mayCorrect: boolean; as?: StoreRequest }])[] = [
  ['other attributes', corrected, { mayCorrect: false }],
  ['other pixels', otherPixels, { mayCorrect: true }],
  [
    'not comparable',
    original,
    { mayCorrect: true, as: { ...request, transferSyntaxUid: '1.2.840.10008.1.2.2' } },
  ],
];

for (const [reason, dataSet, sending] of collisions) {
  test(`${reason} under a UID that is held: both are kept, the new one in quarantine, with an alarm`, async () => {
    const reception = new Reception();
    await reception.send(original);
    assert.equal(await reception.send(dataSet, sending), 0, 'it is on disk');
    assert.equal(await reception.send(dataSet, sending), 0);
    for (const restarted of [false, true]) {
      if (restarted) await reception.restart();
      assert.equal(reception.studies[0]?.objects.length, 1);
      assert.equal(reception.files, 1, 'nothing of it is left in the study');
      const entry = only(reception);
      assert.deepEqual(
        [entry.reason, entry.callingAeTitle, entry.remoteAddress, entry.stored.length],
        [reason, 'CT_1', '192.0.2.7', dataSet.length],
      );
      assert.equal(entry.header.patientName, 'Canary^Winifred');
      assert.ok(reception.quarantine.holds(request.sopInstanceUid));
      assert.deepEqual(alarms(reception), ['OBJECT_QUARANTINED']);
      assert.ok(!reception.logger.lines.join().includes('Canary'));
    }
  });
}

test('objects of one UID that arrive at the same time: one is kept, the others go into quarantine', async () => {
  const reception = new Reception();
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => reception.send(plainDataSet(header, randomBytes(2 * chunkBytes)))),
  );
  assert.deepEqual(answers, [0, 0, 0, 0]);
  assert.equal(reception.studies[0]?.objects.length, 1);
  assert.deepEqual(reasons(reception), ['other pixels', 'other pixels', 'other pixels']);
  assert.equal(reception.files, 1);
});

test('corrections that arrive at the same time follow each other', async () => {
  const reception = new Reception();
  await reception.send(original);
  const descriptions = ['one', 'two', 'three', 'four'];
  await Promise.all(
    descriptions.map((studyDescription) =>
      reception.send(plainDataSet({ ...header, studyDescription }, pixels), { mayCorrect: true }),
    ),
  );
  const [study] = reception.studies;
  assert.equal(study?.objects.length, 5);
  assert.equal(study.newest.length, 1);
  assert.deepEqual(
    study.objects.slice(1).map(({ corrects }) => corrects),
    study.objects.slice(0, -1).map(({ number }) => number),
  );
});

test('an object waits for the flush of another of its UID before it is judged against it', async () => {
  const reception = new Reception();
  const flushing = Promise.withResolvers<void>();
  reception.catalogue = new Catalogue(new SlowStore(flushing.promise));
  const answers = [reception.send(original), reception.send(otherPixels)];
  await settle();
  assert.equal(reception.studies[0]?.objects.length, 0);
  flushing.resolve();
  assert.deepEqual(await Promise.all(answers), [0, 0]);
  assert.equal(reception.studies[0]?.objects.length, 1);
  assert.deepEqual(reasons(reception), ['other pixels']);
});

test('a UID that is held in another study, or of another patient, goes into quarantine', async () => {
  for (const change of [
    { studyInstanceUid: '1.9' },
    { patientId: 'N-2002', patientName: 'Robin^Rowan' },
  ] satisfies DataSetHeader[]) {
    const reception = new Reception();
    await reception.send(original);
    const moved = plainDataSet({ ...header, ...change }, pixels);
    assert.equal(await reception.send(moved, { mayCorrect: true }), 0);
    assert.deepEqual(reasons(reception), ['in another study']);
    assert.equal(reception.studies.length, 1);
    // Released, it is a further object of its own study; sent again, it is there.
    const act = await reception.quarantine.release(only(reception).id, 'alice', (entry, dataSet) =>
      reception.keeper().readmit(entry, dataSet),
    );
    assert.deepEqual(act, { kind: 'done' });
    assert.equal(reception.studies.length, 2);
    assert.equal(await reception.send(moved), 0);
    assert.equal(await reception.send(original), 0);
    assert.deepEqual(reasons(reception), []);
  }
});

const misfits: readonly (readonly [string, Uint8Array, string, number])[] = [
  ['no study UID', plainDataSet({ ...header, studyInstanceUid: '' }), 'without UIDs', 0xa900],
  ['two study UIDs', plainDataSet({ ...header, studyInstanceUid: '1.2\\1.3' }), 'without UIDs', 0xa900],
  [
    'too long a study UID',
    plainDataSet({ ...header, studyInstanceUid: '1'.repeat(65) }),
    'without UIDs',
    0xa900,
  ],
  ['no series UID', plainDataSet({ ...header, seriesInstanceUid: '' }), 'without UIDs', 0xa900],
  ['no instance UID', plainDataSet({ ...header, sopInstanceUid: '' }), 'without UIDs', 0xa900],
  [
    'another instance UID than its request',
    // Longer than what is looked at in one go.
    plainDataSet({ ...header, sopInstanceUid: '1.9' }, randomBytes(20_000)),
    'other UID than requested',
    0xa900,
  ],
  ['a header that cannot be parsed', utf8(`no JSON\n${'and more'.repeat(2_000)}`), 'unreadable', 0xc000],
  ['an end inside its header', utf8('{"sopInstanceUid"'), 'unreadable', 0xc000],
  ['nothing in it', new Uint8Array(0), 'unreadable', 0xc000],
];

for (const [name, dataSet, reason, status] of misfits) {
  test(`an object with ${name} is answered with a failure, and kept in quarantine as it came`, async () => {
    for (const pieceBytes of [7, 65_536]) {
      const reception = new Reception();
      // A sender that is told so sends it again all night.
      for (let i = 0; i < 3; i++) assert.equal(await reception.send(dataSet, { pieceBytes }), status);
      await reception.restart();
      const entry = only(reception);
      assert.deepEqual([entry.reason, entry.stored.length], [reason, dataSet.length]);
      assert.deepEqual(reception.studies, []);
      assert.equal(reception.disk.studies.size, 0);
      assert.equal(reception.quarantineDisk.studies.size, 1);
      assert.ok(!reception.logger.lines.join().includes('Canary'));
      assert.ok(!reasonText(entry).includes('Canary'));
      const parts: Uint8Array[] = [];
      await reception.quarantine.release(entry.id, 'alice', async (_entry, bytes) => {
        for await (const part of bytes) parts.push(part);
      });
      assert.equal(
        parts.length > 0,
        reason === 'other UID than requested',
        'only what has a place is released',
      );
      if (parts.length > 0) assert.ok(Buffer.concat(parts).equals(dataSet));
    }
  });
}

test('what an administrator releases joins its study as a new version, and is gone from quarantine', async () => {
  const reception = new Reception();
  await reception.send(original);
  await reception.send(otherPixels);
  const changed: string[] = [];
  reception.catalogue.onChange(({ ref }) => changed.push(ref));
  const { id } = only(reception);
  const release = () =>
    reception.quarantine.release(id, 'alice', (entry, dataSet) => reception.keeper().readmit(entry, dataSet));
  assert.deepEqual(await release(), { kind: 'done' });
  assert.equal((await release()).kind, 'refused');
  assert.equal(changed.length, 1, 'it is registered and forwarded from now on');
  for (const restarted of [false, true]) {
    if (restarted) await reception.restart();
    const [study] = reception.studies;
    assert.equal(study?.objects.length, 2);
    assert.equal(study.newest.length, 1);
    assert.ok((await dataSetOf(study, study.newest[0])).equals(otherPixels));
    assert.deepEqual(reception.quarantine.list(), []);
    assert.equal(reception.quarantineDisk.studies.size, 0);
  }
  assert.deepEqual(alarms(reception), []);
  assert.ok(reception.logger.lines.some((line) => line.includes('alice') && line.includes('released')));
});

test('what was announced under another UID is released under its own', async () => {
  const reception = new Reception();
  await reception.send(plainDataSet({ ...header, sopInstanceUid: '1.2.3.9' }, pixels));
  const { id } = only(reception);
  await reception.quarantine.release(id, 'alice', (entry, bytes) => reception.keeper().readmit(entry, bytes));
  assert.deepEqual(
    reception.studies[0]?.objects.map(({ sopInstanceUid }) => sopInstanceUid),
    ['1.2.3.9'],
  );
});

test('a release that fails leaves the object in quarantine; one that a crash cut off can be done again', async () => {
  const reception = new Reception();
  await reception.send(original);
  await reception.send(otherPixels);
  const { id } = only(reception);
  const readmit = (entry: QuarantineEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> =>
    reception.keeper().readmit(entry, bytes);
  reception.disk.failing = true;
  await assert.rejects(reception.quarantine.release(id, 'alice', readmit), { code: 'STORE_FAILED' });
  assert.equal(only(reception).id, id);
  reception.disk.failing = false;
  // The power fails after the study has it and before the quarantine has let go of it.
  reception.quarantineDisk.failing = true;
  await assert.rejects(reception.quarantine.release(id, 'alice', readmit), { code: 'STORE_FAILED' });
  reception.quarantineDisk.failing = false;
  await reception.restart();
  assert.equal(only(reception).id, id);
  assert.deepEqual(await reception.quarantine.release(id, 'alice', readmit), { kind: 'done' });
  assert.equal(reception.studies[0]?.objects.length, 2);
});

test('two who decide about one object at a time: one does, the other is told', async () => {
  const reception = new Reception();
  await reception.send(original);
  await reception.send(otherPixels);
  const { id } = only(reception);
  const acts = await Promise.all([
    reception.quarantine.discard(id, 'alice'),
    reception.quarantine.release(id, 'bob', () => Promise.reject(new Error('it was being discarded'))),
  ]);
  assert.deepEqual(
    acts.map(({ kind }) => kind),
    ['done', 'refused'],
  );
});

test('what an administrator discards is erased, with their name in the log', async () => {
  const reception = new Reception();
  await reception.send(original);
  await reception.send(otherPixels);
  let told = 0;
  reception.quarantine.onChange(() => told++);
  assert.deepEqual(await reception.quarantine.discard(only(reception).id, 'alice'), { kind: 'done' });
  assert.equal((await reception.quarantine.discard('00', 'alice')).kind, 'refused');
  assert.equal(told, 1);
  assert.equal(reception.quarantineDisk.studies.size, 0);
  assert.equal(reception.quarantine.bytes, 0);
  assert.equal(reception.quarantine.holds(request.sopInstanceUid), false);
  assert.deepEqual(alarms(reception), []);
  assert.ok(reception.logger.lines.some((line) => line.includes('alice') && line.includes('discarded')));
});

test('a full quarantine refuses: what was at fault as before, what was not with 0xA700, and leaves nothing', async () => {
  for (const limits of [
    { quarantineObjectsMax: 1, quarantineBytesMax: 1_000_000 },
    { quarantineObjectsMax: 100, quarantineBytesMax: original.length + 100 },
  ]) {
    const reception = new Reception({ quarantine: limits });
    await reception.send(original);
    assert.equal(await reception.send(otherPixels), 0);
    const unreadable = utf8(`no JSON\n${'x'.repeat(1_000)}`);
    await assert.rejects(reception.send(unreadable), { code: 'OBJECT_UNREADABLE' });
    const large = plainDataSet({ ...header, studyDescription: 'Pelvis' }, randomBytes(2 * chunkBytes));
    for (const refused of [corrected, large])
      await assert.rejects(reception.send(refused), { code: 'QUARANTINE_FULL' });
    assert.equal(reception.quarantine.list().length, 1);
    assert.equal(reception.quarantineDisk.studies.size, 1);
    assert.equal(reception.quarantine.bytes, otherPixels.length);
    assert.deepEqual([reception.disk.begun, reception.quarantineDisk.begun, reception.files], [0, 0, 1]);
    assert.deepEqual(alarms(reception).toSorted(), ['OBJECT_QUARANTINED', 'QUARANTINE_FULL']);
    await reception.quarantine.discard(only(reception).id, 'alice');
    assert.deepEqual(alarms(reception), []);
    assert.equal(await reception.send(corrected), 0, 'there is room again');
  }
});

test('a disk that fails while an object goes into quarantine is no acknowledgement', async () => {
  const reception = new Reception();
  await reception.send(original);
  reception.quarantineDisk.failing = true;
  await assert.rejects(reception.send(otherPixels), { code: 'STORE_FAILED' });
  await assert.rejects(reception.send(utf8('no JSON\n')), { code: 'STORE_FAILED' });
  reception.quarantineDisk.failing = false;
  // Or only at its end, after which nobody aborts it.
  const sink = reception.keeper().receive(request);
  await sink.write(utf8('no JSON\nand then'));
  reception.quarantineDisk.failing = true;
  await assert.rejects(sink.finish(), { code: 'STORE_FAILED' });
  reception.quarantineDisk.failing = false;
  assert.deepEqual(
    [reception.quarantine.list().length, reception.quarantine.bytes, reception.files],
    [0, 0, 1],
  );
  assert.deepEqual([reception.quarantineDisk.begun, reception.disk.begun], [0, 0]);
});

test('an association that ends in the middle of what goes into quarantine leaves nothing there', async () => {
  const reception = new Reception();
  const sink = reception.keeper().receive(request);
  await sink.write(utf8('no JSON\nand then'));
  assert.equal(reception.quarantineDisk.studies.size, 1);
  await sink.abort(new Error('Canary^Winifred'));
  assert.equal(reception.quarantineDisk.studies.size, 0);
  assert.deepEqual([reception.quarantine.bytes, reception.quarantineDisk.begun], [0, 0]);
});

test('a study takes what the ledger can commit to, over all associations, and refuses more with 0xA700', async () => {
  const send = (reception: Reception, n: number, bytes = 10): Promise<number> =>
    reception.send(plainDataSet({ ...header, sopInstanceUid: `1.2.3.${n}` }, randomBytes(bytes)), {
      as: { ...request, sopInstanceUid: `1.2.3.${n}` },
    });
  const byCount = new Reception({ study: { studyInstancesMax: 3, studyBytesMax: 1_000_000 } });
  const answers = await Promise.allSettled([1, 2, 3, 4, 5].map((n) => send(byCount, n)));
  assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 3);
  for (const answer of answers)
    if (answer.status === 'rejected')
      assert.equal((answer.reason as { readonly code: string }).code, 'STUDY_FULL');
  assert.equal(byCount.studies[0]?.objects.length, 3);
  assert.deepEqual(alarms(byCount), ['STUDY_FULL']);
  assert.deepEqual(reasons(byCount), [], 'the object is not at fault');

  const byBytes = new Reception({ study: { studyInstancesMax: 100, studyBytesMax: 10_000 } });
  await assert.rejects(send(byBytes, 1, 20_000), { code: 'STUDY_FULL' });
  assert.equal(byBytes.studies[0]?.objects.length, 0);
  assert.equal(await send(byBytes, 2, 5_000), 0, 'what was refused takes no room');
  await assert.rejects(send(byBytes, 3, 5_000), { code: 'STUDY_FULL' });
  assert.deepEqual([byBytes.files, byBytes.disk.begun], [1, 0]);
});
