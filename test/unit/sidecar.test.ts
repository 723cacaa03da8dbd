import assert from 'node:assert/strict';
import test from 'node:test';
import { equalBytes } from '../../firmware/src/encoding/bytes.ts';
import { openStudyNote } from '../../firmware/src/protocol/notes.ts';
import { parseInstancePrefix } from '../../firmware/src/protocol/instance-prefix.ts';
import { referenceBytes } from '../../firmware/src/protocol/references.ts';
import { dayBefore, dayOf, daysFrom } from '../../firmware/src/sidecar/days.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import { bulkGatherMs } from '../../firmware/src/ingest/limits.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import { studyIdOf } from '../../firmware/src/studies/ledger-place.ts';
import type { StudyOrigin } from '../../firmware/src/studies/manifest.ts';
import { commitmentTo } from '../../firmware/src/studies/study-commitment.ts';
import { MemoryObjectStore } from '../fakes/object-store.ts';
import { patient, ReleaseWorld } from '../support/release-world.ts';
import {
  archiveAeTitle,
  pullSilenceMsMax,
  referenced,
  SidecarScene,
  studyOf,
  unreachable,
  untilDone,
} from '../support/sidecar-scene.ts';
import { settle, until } from '../support/until.ts';

/** On the ledger, after the time in which studies by reference are gathered. */
async function registered(world: ReleaseWorld, study: KeptStudy): Promise<void> {
  await settle();
  world.clock.advance(bulkGatherMs);
  await until(() => world.record(study) !== undefined, 'the study on the ledger');
}

test('days go back over months, years and leap days', () => {
  assert.equal(dayBefore('20240301'), '20240229');
  assert.equal(dayBefore('20230301'), '20230228');
  assert.equal(dayBefore('20260101'), '20251231');
  assert.equal(dayOf(Date.UTC(2026, 0, 5, 23, 59)), '20260105');
  assert.equal(daysFrom('20251230', '20260102'), 4);
  assert.equal(daysFrom('20260102', '20260101'), 0);
  assert.throws(() => dayBefore('2026010'), RangeError);
});

test('the archive’s past is registered by reference, the newest day first', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  scene.archive.add('20260101', '1.1');
  scene.archive.add('20260103', '1.3', 5);
  scene.archive.add('20260103', '1.4', 2, { patientId: '' });
  scene.archive.add('20260102', '1.5', 0);
  const registrar = world.registrar();
  await registrar.start();
  const backfill = scene.backfill();
  await backfill.start();
  await untilDone(scene, backfill);

  assert.deepEqual(
    scene.archive.asked.filter((what) => what.startsWith('day')),
    ['day 20260103', 'day 20260102', 'day 20260101'],
  );
  const progress = backfill.progress();
  assert.deepEqual(
    [progress?.found, progress?.registered, progress?.leftOut, progress?.daysDone, progress?.days],
    [4, 2, 2, 3, 3],
  );
  const study = studyOf(world, '1.3');
  await registered(world, study);
  const record = world.record(study);
  assert.ok(record !== undefined && study.owner !== undefined && study.latestVersion !== undefined);
  assert.ok(equalBytes(record.commitment, commitmentTo(study, 0).commitment()));
  const note = await openStudyNote(
    study.owner.prk,
    record.batchIndex,
    record.commitment,
    study.latestVersion.note,
  );
  assert.equal(note?.kind, 'imaging-study-by-reference');
  assert.deepEqual([note?.instances, note?.bytes, note?.modalities], [5, 0, ['CT']]);
  world.clock.advance(10_000_000);
  await settle();
  assert.equal(world.record(study)?.version, 1, 'nothing more is to come of a reference');
  await Promise.all([backfill.stop(), registrar.stop()]);
});

test('what the box keeps already is not registered again', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  await world.keep('1.3', 1, new Uint8Array(10));
  scene.archive.add('20260103', '1.3');
  const backfill = scene.backfill({ from: '20260103' });
  await backfill.start();
  await untilDone(scene, backfill);
  assert.equal(world.catalogue.studiesUnder('1.3').length, 1);
  assert.equal(studyOf(world, '1.3').created.origin.kind, 'modality');
  await backfill.stop();
});

test('it asks no faster than allowed, and only in its hours', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  for (let n = 0; n < 5; n++) scene.archive.add('20260103', `1.3.${n}`);
  let isOpen = false;
  const backfill = scene.backfill({ from: '20260103', studiesPerMinute: 6, isOpen: () => isOpen });
  await backfill.start();
  await settle();
  const read = (): number => scene.archive.asked.filter((what) => what.startsWith('instances')).length;
  world.clock.advance(600_000);
  await settle();
  assert.equal(read(), 0);
  assert.equal(backfill.progress()?.state, 'held back');
  isOpen = true;
  world.clock.advance(60_000);
  await settle();
  assert.equal(read(), 1);
  for (let second = 0; second < 25; second++) {
    world.clock.advance(1_000);
    await settle();
  }
  assert.equal(read(), 3, 'one in ten seconds');
  await backfill.stop();
});

test('a crash repeats at most its day, and registers nothing twice', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  scene.archive.add('20260103', '1.3');
  scene.archive.add('20260102', '1.2.1');
  scene.archive.add('20260102', '1.2.2');
  const first = scene.backfill({ studiesPerMinute: 1 });
  await first.start();
  for (let n = 0; n < 100 && world.catalogue.studiesUnder('1.2.1').length === 0; n++) {
    world.clock.advance(10_000);
    await settle();
  }
  // As after kill -9: what is on disk, and nothing else.
  void first.stop();
  const catalogue = new Catalogue(new MemoryObjectStore(world.disk));
  await catalogue.load((study) => studyIdOf(study, world.fixture.chain, 'north'));
  assert.equal(catalogue.studiesUnder('1.2.1')[0]?.isByReference, true);

  const again = scene.backfill();
  await again.start();
  await untilDone(scene, again);
  for (const uid of ['1.3', '1.2.1', '1.2.2']) assert.equal(world.catalogue.studiesUnder(uid).length, 1, uid);
  const days = scene.archive.asked.filter((what) => what.startsWith('day'));
  assert.deepEqual(days, ['day 20260103', 'day 20260102', 'day 20260102', 'day 20260101']);
  assert.equal(again.progress()?.found, 3, 'the day that was repeated counts once');
  await again.stop();
});

test('an archive that is down is an alarm, and is asked again', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  scene.archive.add('20260103', '1.3');
  scene.archive.fails = unreachable();
  const backfill = scene.backfill({ from: '20260103' });
  await backfill.start();
  await settle();
  assert.equal(backfill.progress()?.state, 'failing');
  assert.deepEqual(
    scene.health.list().map(({ code, subject }) => [code, subject]),
    [['ARCHIVE_FAILED', archiveAeTitle]],
  );
  await untilDone(scene, backfill);
  assert.deepEqual(scene.health.list(), []);
  assert.equal(backfill.progress()?.registered, 1);
  await backfill.stop();
});

test('a grant makes the archive send the study, and its bytes are committed to', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  const study = await referenced(scene, '1.3', 3);
  const registrar = world.registrar();
  await registrar.start();
  await registered(world, study);
  const head = world.record(study)?.commitment;
  assert.ok(head !== undefined);
  assert.equal(
    study.objectsUnder((commitment) => equalBytes(commitment, head)),
    undefined,
    'nothing is released under it',
  );
  const pulls = scene.pulls();
  await pulls.start();
  await world.grant(study, 'south', { amendments: true });
  await until(() => study.pulled !== undefined, 'the study to be pulled');
  assert.deepEqual([study.objects.length, study.pulled?.missing, study.isByReference], [3, 0, false]);
  await until(() => world.record(study)?.closed === true, 'its bytes on the ledger');
  const record = world.record(study);
  assert.ok(record !== undefined && equalBytes(record.commitment, commitmentTo(study, 3).commitment()));
  assert.equal(
    study.objectsUnder((commitment) => equalBytes(commitment, record.commitment)),
    3,
  );
  assert.equal(world.catalogue.studiesUnder('1.3').length, 1, 'its objects joined the study');
  assert.equal(scene.archive.asked.filter((what) => what.startsWith('move')).length, 1);
  await Promise.all([pulls.stop(), registrar.stop()]);
});

test('a pull that was asked for survives a restart; one that fails is tried again', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  const study = await referenced(scene, '1.3');
  scene.archive.moved = () => Promise.reject(unreachable());
  const first = scene.pulls();
  await first.start();
  await first.ask(study);
  await settle();
  assert.equal(scene.health.list()[0]?.code, 'ARCHIVE_FAILED');
  await first.stop();

  scene.archive.moved = async (uid) => {
    await scene.sends(uid, 1);
    await scene.sends(uid, 2);
    return { completed: 2, failed: 0 };
  };
  const again = scene.pulls();
  await again.start();
  await until(() => study.pulled !== undefined, 'the study to be pulled');
  await until(() => again.count === 0, 'nothing to wait any more');
  assert.deepEqual(scene.health.list(), []);
  await again.stop();
});

test('an archive that brings a study slowly is waited for while it shows signs of life, and no longer', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  const study = await referenced(scene, '1.3', 3);
  let heardOf: (() => void) | undefined;
  let given: unknown;
  scene.archive.moved = (_uid, signal, heard) => {
    heardOf = heard;
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        given = signal.reason;
        reject(unreachable());
      });
    });
  };
  const pulls = scene.pulls();
  await pulls.start();
  await pulls.ask(study);
  await settle();
  const silent = async (ms: number): Promise<void> => {
    world.clock.advance(ms);
    await settle();
  };
  await silent(pullSilenceMsMax - 1);
  await scene.sends('1.3', 1);
  await silent(pullSilenceMsMax - 1);
  heardOf?.();
  await silent(pullSilenceMsMax - 1);
  assert.equal(given, undefined, 'an object and a response were signs of life');
  assert.deepEqual(scene.health.list(), []);
  await silent(1);
  assert.match(String(given), /ARCHIVE brought nothing for 60 min/);
  assert.equal(scene.health.list()[0]?.code, 'ARCHIVE_FAILED');
  await pulls.stop();
});

test('an archive that says it failed to send is asked again, and nothing is committed to meanwhile', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  const study = await referenced(scene, '1.3', 2);
  let failed = 1;
  scene.archive.moved = async (uid) => {
    await scene.sends(uid, 1);
    if (failed === 0) await scene.sends(uid, 2);
    return { completed: 2 - failed, failed };
  };
  const registrar = world.registrar();
  await registrar.start();
  const pulls = scene.pulls();
  await pulls.start();
  await pulls.ask(study);
  await settle();
  assert.equal(study.isByReference, true);
  assert.ok((world.record(study)?.version ?? 1) <= 1, 'a part is no version');
  failed = 0;
  world.clock.advance(600_000);
  await until(() => study.pulled !== undefined, 'the study to be pulled');
  assert.equal(study.pulled?.missing, 0);
  await Promise.all([pulls.stop(), registrar.stop()]);
});

test('an archive that sends nothing of what it lists is asked again, whatever it says', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  const study = await referenced(scene, '1.3', 2);
  scene.archive.moved = async () => ({ completed: 0, failed: 0 });
  const pulls = scene.pulls();
  await pulls.start();
  await pulls.ask(study);
  await settle();
  assert.deepEqual([study.pulled, study.isByReference, pulls.count], [undefined, true, 1]);
  assert.equal(scene.health.list()[0]?.code, 'ARCHIVE_FAILED');
  await pulls.stop();
});

test('a modality that adds to a study by reference makes all of it needed', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  const study = await referenced(scene, '1.3', 2);
  const pulls = scene.pulls();
  await pulls.start();
  await world.keep('1.3', 9, new Uint8Array(5));
  await until(() => study.pulled !== undefined, 'the study to be pulled');
  assert.equal(study.objects.length, 3);
  assert.equal(world.catalogue.studiesUnder('1.3').length, 1);
  await pulls.stop();
});

test('what the archive announces is registered, from nobody else, and after a restart too', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  scene.archive.add('20260103', '1.3');
  scene.archive.fails = unreachable();
  const first = scene.announcements();
  await first.start();
  await first.take('SOMEBODY', '1.3');
  assert.deepEqual(scene.archive.asked, []);
  await first.take(archiveAeTitle, '1.3');
  await settle();
  await first.stop();
  assert.deepEqual(scene.archive.asked, ['study 1.3']);

  const again = scene.announcements();
  await again.start();
  await until(() => world.catalogue.studiesUnder('1.3')[0]?.isByReference === true, 'the study');
  await until(() => scene.store.values.size === 0, 'it to be forgotten');
  await again.stop();
});

test('one study that the archive lists and cannot tell of stops neither its day nor the announcements', async () => {
  const world = new ReleaseWorld();
  const scene = new SidecarScene(world);
  for (const uid of ['1.3.1', '1.3.2', '1.3.3']) scene.archive.add('20260103', uid);
  scene.archive.cannotTellOf = '1.3.2';
  const backfill = scene.backfill({ from: '20260103' });
  await backfill.start();
  await untilDone(scene, backfill);
  assert.deepEqual([backfill.progress()?.registered, backfill.progress()?.leftOut], [2, 1]);
  await backfill.stop();

  scene.archive.add('20260104', '1.4');
  const announcements = scene.announcements();
  await announcements.start();
  await announcements.take(archiveAeTitle, '1.3.2');
  await announcements.take(archiveAeTitle, '1.4');
  for (let n = 0; n < 20 && world.catalogue.studiesUnder('1.4').length === 0; n++) {
    world.clock.advance(1_000);
    await settle();
  }
  assert.equal(world.catalogue.studiesUnder('1.4')[0]?.isByReference, true);
  assert.ok(
    ![...scene.store.values.keys()].some((key) => key.includes('1.3')),
    'keys say nothing of a patient',
  );
  await announcements.stop();
});

test('a modality and the archive that name a study at the same time make one', async () => {
  const { catalogue, clock } = new ReleaseWorld();
  const described = (origin: StudyOrigin) => ({
    is: 'study' as const,
    studyInstanceUid: '1.3',
    salt: new Uint8Array(32),
    origin,
    patient,
    callingAeTitle: '',
    date: '',
    description: '',
    at: clock.now(),
  });
  const [one, other] = await Promise.all([
    catalogue.obtain(described({ kind: 'modality' })),
    catalogue.obtain(described({ kind: 'referenced', pacs: archiveAeTitle })),
  ]);
  assert.equal(one, other);
  assert.equal(catalogue.studiesUnder('1.3').length, 1);
});

test('the bytes of a reference are fixed, name each instance once, and are no object', () => {
  const instance = (sopInstanceUid: string) => ({
    seriesInstanceUid: '1.2.3.0',
    sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
    sopInstanceUid,
  });
  const bytes = referenceBytes('1.2.3', [instance('1.2.3.2'), instance('1.2.3.1')]);
  assert.deepEqual(bytes, referenceBytes('1.2.3', [instance('1.2.3.1'), instance('1.2.3.2')]));
  assert.equal(
    Buffer.from(bytes).toString('hex'),
    'ffffffff' +
      `00000011${Buffer.from('hilum/reference/1').toString('hex')}` +
      `a2657374756479${'65'}${Buffer.from('1.2.3').toString('hex')}` +
      `69${Buffer.from('instances').toString('hex')}82` +
      ['1.2.3.1', '1.2.3.2']
        .map(
          (uid) =>
            `8367${Buffer.from('1.2.3.0').toString('hex')}` +
            `7819${Buffer.from('1.2.840.10008.5.1.4.1.1.2').toString('hex')}` +
            `67${Buffer.from(uid).toString('hex')}`,
        )
        .join(''),
  );
  assert.equal(parseInstancePrefix(bytes), undefined);
  assert.throws(() => referenceBytes('1.2.3', [instance('1.2.3.1'), instance('1.2.3.1')]), RangeError);
  assert.throws(() => referenceBytes('1.2.3', []), RangeError);
  assert.throws(() => referenceBytes('1 2', [instance('1.2.3.1')]), RangeError);
});
