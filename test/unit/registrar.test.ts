/** How studies come to the ledger, under real rules and a clock that the test moves. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { decodeCanonical } from '../../firmware/src/encoding/canonical-cbor.ts';
import { equalBytes, toHex } from '../../firmware/src/encoding/bytes.ts';
import { registrationRetryMs } from '../../firmware/src/ingest/limits.ts';
import { Registrar, type StudySteps } from '../../firmware/src/ingest/registrar.ts';
import { decodeTransaction, studyRecord } from '../../firmware/src/ledger/index.ts';
import type { StudyAmend, StudyRecord, StudyRegister } from '../../firmware/src/ledger/types.ts';
import { noteHash, openStudyNote } from '../../firmware/src/protocol/notes.ts';
import { recogniseOneTime } from '../../firmware/src/protocol/owner-keys.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import { studyIdOf } from '../../firmware/src/studies/ledger-place.ts';
import type { VersionPlanned } from '../../firmware/src/studies/manifest.ts';
import { commitmentTo } from '../../firmware/src/studies/study-commitment.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { MemoryObjectStore } from '../fakes/object-store.ts';
import { noSteps, patientTiming as timing, ReleaseWorld } from '../support/release-world.ts';
import { settle, until } from '../support/until.ts';

const uid = '1.2.3';

/** What was sent to the ledger, oldest first. */
function sent(world: ReleaseWorld): (StudyRegister | StudyAmend)[] {
  return world.ledger.submitted.map((bytes) => {
    const decoded = decodeTransaction(bytes);
    assert.ok(decoded.kind === 'transaction');
    const { body } = decoded.transaction;
    assert.ok(body.type === 'study.register' || body.type === 'study.amend');
    return body;
  });
}

function onLedger(world: ReleaseWorld, study: KeptStudy): StudyRecord {
  const record = world.record(study);
  assert.ok(record !== undefined);
  return record;
}

/** The manifest's plans, in order. */
function plans(world: ReleaseWorld, study: KeptStudy): VersionPlanned[] {
  const records = world.disk.studies.get(study.ref)?.records ?? [];
  return records
    .map((record) => decodeCanonical(record) as unknown as VersionPlanned)
    .filter((record) => record.is === 'version');
}

async function untilVersion(world: ReleaseWorld, study: KeptStudy, version: number): Promise<void> {
  await until(() => world.record(study)?.version === version, `version ${version}`);
  await settle();
}

/** The box after kill -9: what it had on disk, read again. */
async function restarted(world: ReleaseWorld): Promise<{ catalogue: Catalogue; study: KeptStudy }> {
  const catalogue = new Catalogue(new MemoryObjectStore(world.disk));
  await catalogue.load((study) => studyIdOf(study, world.fixture.chain, 'north'));
  const study = catalogue.studies().find(({ created }) => created.studyInstanceUid === uid);
  assert.ok(study !== undefined);
  return { catalogue, study };
}

test('registered at the first object, amended at most every amendMs, closed by quiet time, reopened by a late object', async () => {
  const world = new ReleaseWorld();
  const registrar = world.registrar();
  await registrar.start();
  const study = await world.keep(uid, 1, randomBytes(10));
  await untilVersion(world, study, 1);
  const start = world.clock.now();
  assert.ok(equalBytes(onLedger(world, study).commitment, commitmentTo(study, 1).commitment()));

  // An object each second for a minute and a half: three amendments, not ninety.
  for (let second = 1; second < 90; second++) {
    world.clock.advance(1_000);
    await world.keep(uid, 1 + second, randomBytes(10));
    if (second % 30 === 0) await untilVersion(world, study, 1 + second / 30);
    else await settle();
  }
  world.clock.advance(1_000);
  await untilVersion(world, study, 4);
  assert.deepEqual(
    plans(world, study).map(({ at }) => at - start),
    [0, 30_000, 60_000, 90_000],
  );
  assert.equal(onLedger(world, study).closed, false);

  world.clock.advance(timing.quietMs - 1_001);
  await settle();
  assert.equal(world.ledger.submitted.length, 4);
  world.clock.advance(1);
  await untilVersion(world, study, 5);
  assert.equal(onLedger(world, study).closed, true);
  assert.ok(equalBytes(onLedger(world, study).commitment, commitmentTo(study, 90).commitment()));
  world.clock.advance(10 * timing.forcedMs);
  await settle();
  assert.equal(world.ledger.submitted.length, 5, 'a closed study stays as it is');

  await world.keep(uid, 100, randomBytes(10));
  await untilVersion(world, study, 6);
  assert.equal(onLedger(world, study).closed, false);
  world.clock.advance(timing.quietMs - 1);
  await settle();
  assert.equal(
    world.ledger.submitted.length,
    6,
    'the late object starts the quiet time anew, long after the forced time',
  );
  world.clock.advance(1);
  await untilVersion(world, study, 7);
  assert.equal(onLedger(world, study).closed, true);
  await registrar.stop();
});

test('what stands on the ledger is the wallet’s: its key, and a note that it opens', async () => {
  const world = new ReleaseWorld();
  const study = await world.registeredStudy(uid, [randomBytes(10), randomBytes(20)]);
  const record = onLedger(world, study);
  const recognised = recogniseOneTime(world.wallet, { chain: world.fixture.chain, index: 0, ...record });
  assert.ok(recognised !== undefined);
  const note = study.latestVersion?.note;
  assert.ok(note !== undefined && equalBytes(noteHash(note), record.noteHash));
  const opened = await openStudyNote(recognised.prk, 0, record.commitment, note);
  assert.deepEqual(opened, {
    salt: new Uint8Array(study.created.salt),
    kind: 'imaging-study',
    studyInstanceUid: uid,
    date: '',
    modalities: ['CT'],
    description: '',
    instances: 2,
    bytes: study.bytes,
  });
  assert.equal(study.owner?.custodySeed.length, 0);
});

test('the ledger shows nothing of the patient or of the study’s UIDs', async () => {
  const world = new ReleaseWorld();
  await world.registeredStudy(uid, [randomBytes(10)]);
  for (const bytes of world.ledger.submitted) {
    const text = Buffer.from(bytes);
    for (const canary of ['Canary', 'Winifred', 'N-1001', '19790412', uid, 'CT_1'])
      assert.ok(!text.includes(canary));
  }
});

test('what was fetched, or came back from the own PACS, is not registered as the own', async () => {
  const world = new ReleaseWorld();
  const registrar = world.registrar();
  await registrar.start();
  for (const origin of [
    { kind: 'returned' } as const,
    { kind: 'fetched', source: 'south', studyId: toHex(randomBytes(32)) as never } as const,
  ]) {
    const study = await world.catalogue.obtain({
      is: 'study',
      studyInstanceUid: '1.9',
      salt: randomBytes(32),
      origin,
      patient: { patientId: '', issuer: '', name: '', birthDate: '', sex: '' },
      callingAeTitle: '',
      date: '',
      description: '',
      at: world.clock.now(),
    });
    world.catalogue.changed(study);
  }
  world.clock.advance(10 * timing.quietMs);
  await settle();
  assert.equal(world.ledger.submitted.length, 0);
  await registrar.stop();
});

for (const reached of [false, true]) {
  test(`a crash ${reached ? 'after' : 'before'} the ledger took a registration: same key, same commitment, same note`, async () => {
    const world = new ReleaseWorld();
    const study = await world.keep(uid, 1, randomBytes(10));
    const killed = world.registrar();
    world.ledger.before = (transaction) => {
      // The box dies here: the manifest's record is on disk, the answer is never heard.
      if (reached) world.ledger.finalise(transaction);
      return new Promise(() => undefined);
    };
    await killed.start();
    await until(() => world.ledger.submitted.length === 1, 'the submission');
    world.ledger.before = () => undefined;

    const { catalogue, study: again } = await restarted(world);
    const registrar = world.registrar(timing, catalogue);
    await registrar.start();
    if (reached) {
      await settle();
      assert.equal(world.ledger.submitted.length, 1, 'it stands on the ledger already');
    } else {
      await untilVersion(world, again, 1);
      const [first, second] = sent(world);
      assert.ok(first?.type === 'study.register' && second?.type === 'study.register');
      assert.deepEqual(second.entries, first.entries);
      assert.deepEqual(second.batch, first.batch);
      assert.deepEqual(second.ephemeral, first.ephemeral);
    }
    assert.equal(plans(world, again).length, 1);
    assert.equal(again.studyId, study.studyId);
    assert.ok(
      equalBytes(
        onLedger(world, again).noteHash,
        noteHash(plans(world, again)[0]?.note ?? new Uint8Array(0)),
      ),
    );
    await registrar.stop();
  });
}

test('no note key ever seals two plaintexts: one commitment has one ciphertext, through crashes and closing', async () => {
  const world = new ReleaseWorld();
  let { catalogue, study }: { catalogue: Catalogue; study: KeptStudy } = {
    catalogue: world.catalogue,
    study: await world.keep(uid, 1, randomBytes(10)),
  };
  for (let life = 0; life < 4; life++) {
    const dies = life % 2 === 0;
    let reached = 0;
    world.ledger.before = () => {
      reached++;
      return dies ? new Promise(() => undefined) : undefined;
    };
    const registrar = world.registrar(timing, catalogue);
    await registrar.start();
    world.clock.advance(life < 2 ? 0 : timing.quietMs);
    await until(() => reached > 0, 'a submission');
    if (!dies) await until(() => world.record(study)?.version === (life === 1 ? 1 : 2), 'the version');
    if (!dies) await registrar.stop();
    ({ catalogue, study } = await restarted(world));
  }
  assert.equal(onLedger(world, study).closed, true);
  const ciphertexts = new Map<string, Set<string>>();
  for (const { commitment, note } of plans(world, study)) {
    const key = toHex(commitment);
    ciphertexts.set(key, (ciphertexts.get(key) ?? new Set()).add(toHex(note)));
  }
  assert.equal(ciphertexts.size, 1, 'closing commits to the same objects');
  for (const notes of ciphertexts.values()) assert.equal(notes.size, 1);
});

test('the ledger took another plan of a version than the last one on disk: what it lacks is amended', async () => {
  const world = new ReleaseWorld();
  await world.registeredStudy(uid, [randomBytes(10)]);
  await world.keep(uid, 2, randomBytes(10));
  // Version 2 with two objects leaves the box, which is killed; the network goes on carrying the transaction.
  let carried: Uint8Array | undefined;
  world.ledger.before = (transaction) => {
    carried = transaction;
    return new Promise(() => undefined);
  };
  await world.registrar({ ...timing, amendMs: 0 }).start();
  await until(() => carried !== undefined, 'the first plan');
  // Restarted, more objects there: it plans version 2 anew, complete and closed. The ledger takes the first plan.
  const second = await restarted(world);
  const late = await keepIn(world, second.catalogue, 3);
  world.clock.advance(timing.quietMs);
  world.ledger.before = () => {
    if (carried !== undefined) world.ledger.finalise(carried);
    return undefined;
  };
  const registrar = world.registrar(timing, second.catalogue);
  await registrar.start();
  await until(() => onLedger(world, late).version === 2, 'the first plan on the ledger');
  await settle();
  world.clock.advance(registrationRetryMs);
  await until(() => onLedger(world, late).version === 3, 'what was missing');
  assert.equal(onLedger(world, late).closed, true);
  assert.ok(equalBytes(onLedger(world, late).commitment, commitmentTo(late, 3).commitment()));
  await registrar.stop();
});

async function keepIn(world: ReleaseWorld, catalogue: Catalogue, instance: number): Promise<KeptStudy> {
  const study = catalogue.studies().find(({ created }) => created.studyInstanceUid === uid);
  const [first] = study?.objects ?? [];
  assert.ok(study !== undefined && first !== undefined);
  await study.append({
    ...first,
    number: study.takeNumber(),
    instanceKey: randomBytes(32),
    sopInstanceUid: `${uid}.${instance}`,
    at: world.clock.now(),
  });
  return study;
}

test('a refusal of the ledger raises an alarm and is tried again until it is taken', async () => {
  const world = new ReleaseWorld();
  const health = new MemoryHealthBoard();
  const study = await world.keep(uid, 1, randomBytes(10));
  world.ledger.before = () => Promise.resolve({ kind: 'refused', reason: 'key-expired' });
  const registrar = world.registrar(timing, world.catalogue, health);
  await registrar.start();
  await until(() => health.list().length === 1, 'the alarm');
  const [item] = health.list();
  assert.deepEqual([item?.code, item?.subject], ['TRANSACTION_INVALID', study.ref]);
  assert.match(item?.detail ?? '', /key-expired/);
  for (let tries = 2; tries <= 3; tries++) {
    world.clock.advance(registrationRetryMs - 1);
    await settle();
    assert.equal(world.ledger.submitted.length, tries - 1, 'not before its pause is over');
    world.clock.advance(1);
    await until(() => world.ledger.submitted.length === tries, 'the next try');
    await settle();
  }
  world.ledger.before = () => undefined;
  world.clock.advance(registrationRetryMs);
  await untilVersion(world, study, 1);
  await until(() => health.list().length === 0, 'the end of the alarm');
  assert.equal(plans(world, study).length, 1, 'all tries were one plan');
  await registrar.stop();
});

test('a ledger that fails, or a box that stops meanwhile, loses nothing', async () => {
  const world = new ReleaseWorld();
  const study = await world.keep(uid, 1, randomBytes(10));
  world.ledger.before = () => Promise.reject(new Error('mempool full'));
  const registrar = world.registrar();
  await registrar.start();
  await until(() => world.ledger.submitted.length === 1, 'the submission');
  await settle();
  world.ledger.before = () => undefined;
  world.clock.advance(registrationRetryMs);
  await untilVersion(world, study, 1);
  await registrar.stop();
  await world.keep(uid, 2, randomBytes(10));
  world.clock.advance(10 * timing.quietMs);
  await settle();
  assert.equal(world.ledger.submitted.length, 2, 'nothing is sent after it was stopped');
});

test('a patient without a wallet: the study’s key belongs to an account that the box alone holds', async () => {
  const world = new ReleaseWorld();
  const study = await world.keep(uid, 1, randomBytes(10));
  const registrar = new Registrar({
    catalogue: world.catalogue,
    ledger: world.ledger,
    chain: world.fixture.chain,
    institution: 'north',
    signer: world.fixture.box('north').transaction,
    walletOf: () => undefined,
    timing,
    steps: noSteps,
    clock: world.clock,
    logger: silentLogger,
    health: new MemoryHealthBoard(),
  });
  await registrar.start();
  await untilVersion(world, study, 1);
  assert.equal(study.owner?.custodySeed.length, 32);
  const record = onLedger(world, study);
  assert.equal(
    recogniseOneTime(world.wallet, { chain: world.fixture.chain, index: 0, ...record }),
    undefined,
  );
  assert.ok(!Buffer.from(studyRecord.encode(record)).includes(Buffer.from(study.owner?.custodySeed ?? [])));
  await registrar.stop();
});

test('a study is closed when its procedure steps are complete, and not while one is in progress', async () => {
  const world = new ReleaseWorld();
  const heard = new Set<(studyInstanceUid: string) => void>();
  let steps: ReturnType<StudySteps['ofStudy']> = 'in progress';
  const registrar = world.registrar(timing, world.catalogue, new MemoryHealthBoard(), {
    ofStudy: () => steps,
    onChange: (listener) => {
      heard.add(listener);
      return () => heard.delete(listener);
    },
  });
  await registrar.start();
  const study = await world.keep(uid, 1, randomBytes(10));
  await untilVersion(world, study, 1);
  world.clock.advance(3 * timing.quietMs);
  await settle();
  assert.equal(onLedger(world, study).closed, false, 'the modality is still at work');
  steps = 'complete';
  for (const listener of heard) listener('1.9.9');
  await settle();
  assert.equal(world.ledger.submitted.length, 1, 'another study');
  for (const listener of heard) listener(uid);
  await untilVersion(world, study, 2);
  assert.equal(onLedger(world, study).closed, true);
  await registrar.stop();
  assert.equal(heard.size, 0);
});
