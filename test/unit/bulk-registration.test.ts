/** Studies by reference go to the ledger many at a time; whatever happens to the box meanwhile, none gets two keys that count. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalBytes, toHex } from '../../firmware/src/encoding/bytes.ts';
import { decodeCanonical } from '../../firmware/src/encoding/canonical-cbor.ts';
import { bulkGatherMs, bulkStudiesMax, registrationRetryMs } from '../../firmware/src/ingest/limits.ts';
import { decodeTransaction } from '../../firmware/src/ledger/index.ts';
import type { StudyRegisterBulk, TransactionBody } from '../../firmware/src/ledger/types.ts';
import { openStudyNote } from '../../firmware/src/protocol/notes.ts';
import { recogniseOneTime } from '../../firmware/src/protocol/owner-keys.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import { leafOf, studyIdOf } from '../../firmware/src/studies/ledger-place.ts';
import type { VersionPlanned } from '../../firmware/src/studies/manifest.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { MemoryObjectStore } from '../fakes/object-store.ts';
import { patientTiming as timing, ReleaseWorld } from '../support/release-world.ts';
import { settle, until } from '../support/until.ts';

function sent(world: ReleaseWorld): TransactionBody[] {
  return world.ledger.submitted.map((bytes) => {
    const decoded = decodeTransaction(bytes);
    assert.ok(decoded.kind === 'transaction');
    return decoded.transaction.body;
  });
}

/** A study that the archive holds, known by the UIDs of its instances. */
async function referenced(world: ReleaseWorld, uid: string, catalogue = world.catalogue): Promise<KeptStudy> {
  const study = await catalogue.obtain({
    is: 'study',
    studyInstanceUid: uid,
    salt: new Uint8Array(32).fill(uid.length),
    origin: { kind: 'referenced', pacs: 'PACS' },
    patient: { patientId: 'N-1001', issuer: '', name: '', birthDate: '', sex: '' },
    callingAeTitle: '',
    date: '20260102',
    description: uid,
    at: world.clock.now(),
  });
  await study.append({
    is: 'reference',
    number: study.takeNumber(),
    instanceKey: new Uint8Array(32).fill(7),
    length: 100,
    leaves: new Uint8Array(32).fill(uid.length),
    instances: 3,
    modalities: ['CT'],
    at: world.clock.now(),
  });
  catalogue.changed(study);
  return study;
}

async function some(world: ReleaseWorld, count: number): Promise<KeptStudy[]> {
  const studies: KeptStudy[] = [];
  for (let n = 0; n < count; n++) studies.push(await referenced(world, `1.2.${'3'.repeat(n + 1)}`));
  return studies;
}

async function gathered(world: ReleaseWorld): Promise<void> {
  await settle();
  world.clock.advance(bulkGatherMs);
  await settle();
}

/** The box after kill -9: what it had on disk, read again. */
async function restarted(world: ReleaseWorld): Promise<Catalogue> {
  const catalogue = new Catalogue(new MemoryObjectStore(world.disk));
  await catalogue.load((study) => studyIdOf(study, world.fixture.chain, 'north'));
  return catalogue;
}

test('studies by reference of a moment are one registration, and each is the wallet’s own', async () => {
  const world = new ReleaseWorld();
  const registrar = world.registrar();
  await registrar.start();
  const studies = await some(world, 5);
  await settle();
  assert.equal(world.ledger.submitted.length, 0, 'they are gathered first');
  await gathered(world);
  await until(() => studies.every((study) => world.record(study) !== undefined), 'all on the ledger');
  assert.deepEqual(
    sent(world).map(({ type }) => type),
    ['study.registerBulk'],
  );
  for (const [index, study] of studies.entries()) {
    const record = world.record(study);
    assert.ok(record !== undefined && study.studyId !== undefined);
    assert.equal(record.batchIndex, index);
    assert.equal(world.ledger.state().study(study.studyId), undefined);
    const place = { chain: world.fixture.chain, index };
    const recognised = recogniseOneTime(world.wallet, { ...place, ...record });
    assert.ok(recognised !== undefined);
    const note = study.latestVersion?.note ?? new Uint8Array(0);
    const opened = await openStudyNote(recognised.prk, index, record.commitment, note);
    assert.equal(opened?.studyInstanceUid, study.created.studyInstanceUid);
  }
  world.clock.advance(10 * timing.forcedMs);
  await settle();
  assert.equal(world.ledger.submitted.length, 1, 'nothing more is to come of them');
  await registrar.stop();
});

test('as many as a registration takes are not waited with', async () => {
  const world = new ReleaseWorld();
  const registrar = world.registrar();
  const studies: KeptStudy[] = [];
  for (let n = 0; n < bulkStudiesMax + 1; n++) studies.push(await referenced(world, `1.9.${n}`));
  await registrar.start();
  await until(() => studies.filter((study) => world.record(study)).length === bulkStudiesMax, 'the first');
  await gathered(world);
  await until(() => studies.every((study) => world.record(study)), 'the last');
  assert.equal(world.ledger.submitted.length, 2);
  await registrar.stop();
});

for (const reached of [false, true]) {
  test(`a crash ${reached ? 'after' : 'before'} the ledger took it: the same registration, or none`, async () => {
    const world = new ReleaseWorld();
    await some(world, 3);
    world.ledger.before = (transaction) => {
      if (reached) world.ledger.finalise(transaction);
      return new Promise(() => undefined);
    };
    await world.registrar().start();
    await gathered(world);
    await until(() => world.ledger.submitted.length === 1, 'the submission');
    world.ledger.before = () => undefined;

    const catalogue = await restarted(world);
    const registrar = world.registrar(timing, catalogue);
    await registrar.start();
    await gathered(world);
    const again = catalogue.studies();
    await until(() => again.every((study) => world.record(study) !== undefined), 'all on the ledger');
    const bodies = sent(world) as StudyRegisterBulk[];
    assert.equal(bodies.length, reached ? 1 : 2);
    for (const { entries, batch, ephemeral } of bodies) {
      assert.deepEqual(
        [entries, batch, ephemeral],
        [bodies[0]?.entries, bodies[0]?.batch, bodies[0]?.ephemeral],
      );
    }
    await registrar.stop();
  });
}

test('a crash between the manifests of a registration: it is made anew, and no key seals two notes', async () => {
  const world = new ReleaseWorld();
  const studies = await some(world, 3);
  world.ledger.before = () => new Promise(() => undefined);
  await world.registrar().start();
  await gathered(world);
  await until(() => world.ledger.submitted.length === 1, 'the submission');
  // The last manifest never got its records.
  const last = world.disk.studies.get(studies[2]?.ref ?? '');
  assert.ok(last !== undefined);
  last.records.splice(2);
  world.ledger.before = () => undefined;

  const catalogue = await restarted(world);
  const registrar = world.registrar(timing, catalogue);
  await registrar.start();
  await gathered(world);
  const again = catalogue.studies();
  await until(() => again.every((study) => world.record(study) !== undefined), 'all on the ledger');
  const [before, after] = sent(world) as [StudyRegisterBulk, StudyRegisterBulk];
  assert.notDeepEqual(after.batch, before.batch);
  for (const study of again) {
    const records = world.disk.studies.get(study.ref)?.records ?? [];
    const planned = records
      .map((record) => decodeCanonical(record) as unknown as VersionPlanned)
      .filter((record) => record.is === 'version');
    const recognised = study.owner;
    assert.ok(recognised !== undefined);
    const opened = await Promise.all(
      planned.map(({ commitment, note }) =>
        openStudyNote(recognised.prk, recognised.bulk?.index ?? 0, commitment, note),
      ),
    );
    assert.equal(opened.filter((note) => note !== undefined).length, 1, 'one note under the key that counts');
    assert.equal(study.studyId, studyIdOf(study, world.fixture.chain, 'north'));
    const kept = study.noteFor(() => true) ?? new Uint8Array(0);
    const { commitment } = world.record(study) ?? assert.fail('it stands on the ledger');
    const index = recognised.bulk?.index ?? 0;
    assert.ok(
      await openStudyNote(recognised.prk, index, commitment, kept),
      'the note that is kept is that one',
    );
  }
  await registrar.stop();
});

test('a refusal raises an alarm for each study, and the same entries are sent again', async () => {
  const world = new ReleaseWorld();
  const health = new MemoryHealthBoard();
  const studies = await some(world, 2);
  world.ledger.before = () => Promise.resolve({ kind: 'refused', reason: 'expired' });
  const registrar = world.registrar(timing, world.catalogue, health);
  await registrar.start();
  await gathered(world);
  await until(() => health.list().length === 2, 'the alarms');
  world.ledger.before = () => undefined;
  world.clock.advance(registrationRetryMs);
  await gathered(world);
  await until(() => studies.every((study) => world.record(study) !== undefined), 'all on the ledger');
  const [first, second] = sent(world) as [StudyRegisterBulk, StudyRegisterBulk];
  assert.deepEqual(second.entries, first.entries);
  await until(() => health.list().length === 0, 'the end of the alarms');
  await registrar.stop();
});

test('an amendment of a study that nobody used yet brings its leaf', async () => {
  const world = new ReleaseWorld();
  const registrar = world.registrar();
  await registrar.start();
  const [study] = await some(world, 2);
  assert.ok(study !== undefined);
  await gathered(world);
  await until(() => world.record(study) !== undefined, 'the study on the ledger');
  const leaf = leafOf(study, 'north');
  assert.ok(leaf !== undefined);
  await world.keep(study.created.studyInstanceUid, 1, new Uint8Array(10));
  await study.append({ is: 'pulled', missing: 0, at: world.clock.now() });
  world.catalogue.changed(study);
  await until(() => world.record(study)?.version === 2, 'the amendment');
  const amendment = sent(world).find(({ type }) => type === 'study.amend');
  assert.ok(amendment?.type === 'study.amend' && amendment.leaf !== undefined);
  assert.ok(equalBytes(amendment.leaf.entry, leaf.entry));
  assert.equal(toHex(amendment.studyId), study.studyId);
  await registrar.stop();
});
