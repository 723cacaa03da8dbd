/** The grantee's side of a release, against a real source: each step survives a crash, and nothing is missed. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { verifyEd25519 } from '../../firmware/src/box/signatures.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { basisId, toBasisId } from '../../firmware/src/ledger/index.ts';
import type { BasisBody, AccessGrant } from '../../firmware/src/ledger/types.ts';
import type { OpenPlane } from '../../firmware/src/ports.ts';
import { Disclosures } from '../../firmware/src/release/disclosures.ts';
import { FetchJobs, type FetchJob } from '../../firmware/src/release/fetch-jobs.ts';
import { Grantee } from '../../firmware/src/release/grantee.ts';
import { refusalAnswerMs } from '../../firmware/src/release/limits.ts';
import { retryFirstMs, retryLongestMs } from '../../firmware/src/retry/limits.ts';
import { OpenSessions } from '../../firmware/src/release/open-sessions.ts';
import { OpenShares } from '../../firmware/src/release/open-shares.ts';
import { ReleaseSource } from '../../firmware/src/release/source.ts';
import { StudyReceiver } from '../../firmware/src/release/study-receiver.ts';
import { Catalogue } from '../../firmware/src/studies/catalogue.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { bytesOf } from '../fakes/ledger.ts';
import { MemoryObjectDisk, MemoryObjectStore } from '../fakes/object-store.ts';
import { ampleRoom } from '../support/ample-room.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { declareEmergency, refer } from '../support/release-bases.ts';
import { openPlainScanner } from '../support/plain-data-set.ts';
import { ReleaseWorld } from '../support/release-world.ts';
import { settle, until } from '../support/until.ts';

/** A source at north and a grantee at south, joined by a plane in memory. */
class Scene {
  readonly world = new ReleaseWorld();
  readonly source = new ReleaseSource({
    self: 'north',
    ledger: this.world.ledger,
    network: this.world.hub.join('north'),
    catalogue: this.world.catalogue,
    sessions: new OpenSessions(new MemoryStore()),
    shares: new OpenShares(),
    disclosures: new Disclosures(new MemoryStore(), this.world.clock),
    signer: this.world.fixture.box('north').transaction,
    suspends: () => false,
    verify: verifyEd25519,
    health: new MemoryHealthBoard(),
    clock: this.world.clock,
    logger: silentLogger,
  });
  readonly network = this.world.hub.join('south');
  readonly disk = new MemoryObjectDisk();
  readonly store = new MemoryStore();
  readonly delivered: string[] = [];
  catalogue = new Catalogue(new MemoryObjectStore(this.disk));
  jobs = new FetchJobs(this.store);
  disclosures = new Disclosures(this.store, this.world.clock);
  grantee = this.#make();
  streams = 0;
  /** Frames after which a stream breaks; Infinity: never. */
  breakAfter = Infinity;
  /** The source refuses every stream. */
  refuses = false;
  /** Called before a stream is asked for. */
  onStream: () => void | Promise<void> = () => undefined;

  #make(): Grantee {
    return new Grantee({
      account: this.world.account('south'),
      ledger: this.world.ledger,
      network: this.network,
      openPlane: (member, signal) => this.#openPlane(member, signal),
      jobs: this.jobs,
      receiver: new StudyReceiver({
        catalogue: this.catalogue,
        openHeaderScanner: openPlainScanner,
        clock: this.world.clock,
        keepRoom: ampleRoom,
      }),
      catalogue: this.catalogue,
      disclosures: this.disclosures,
      onKept: async (study) => {
        this.delivered.push(`${study.ref} ${study.objects.length}`);
      },
      clock: this.world.clock,
      logger: silentLogger,
    });
  }

  static async start(): Promise<Scene> {
    const scene = new Scene();
    await scene.source.start();
    await scene.grantee.start();
    return scene;
  }

  readonly #openPlane: OpenPlane = async () => {
    const { source } = this;
    const breakAfter = () => this.breakAfter;
    const refuses = () => this.refuses;
    const exporter = bytesOf(`connection ${this.streams++}`);
    await this.onStream();
    return {
      exporter,
      close: () => undefined,
      request: async function* (body) {
        const frames = await source.serve({ institution: 'south', exporter, body, cut: () => undefined });
        if (frames === undefined || refuses()) throw new AppError('NOT_RELEASED', 'refused');
        let count = 0;
        for await (const frame of frames) {
          if (count++ >= breakAfter()) throw new AppError('PEER_UNREACHABLE', 'the connection broke');
          yield frame;
        }
      },
    };
  };

  /** As by kill -9 and a new start. */
  async restart(): Promise<void> {
    await this.grantee.stop();
    this.catalogue = new Catalogue(new MemoryObjectStore(this.disk));
    await this.catalogue.load(({ created }) =>
      created.origin.kind === 'fetched' ? created.origin.studyId : undefined,
    );
    this.jobs = new FetchJobs(this.store);
    await this.jobs.load();
    this.disclosures = new Disclosures(this.store, this.world.clock);
    await this.disclosures.load();
    this.grantee = this.#make();
    await this.grantee.start();
  }

  job(grant: BasisBody): FetchJob | undefined {
    return this.jobs.get(toBasisId(Buffer.from(basisId(grant), 'hex')));
  }

  /** Lets both sides work and moves the clock by as much as a pause or a refusal takes, until the job is there. */
  async untilJob(grant: BasisBody, state: FetchJob['state'], stepMs = 100): Promise<void> {
    for (let turn = 0; this.job(grant)?.state !== state; turn++) {
      if (turn > 200) assert.fail(`the job stays ${this.job(grant)?.state ?? 'unknown'}, not ${state}`);
      await settle();
      await new Promise((resolve) => setTimeout(resolve, 1));
      this.world.clock.advance(stepMs);
      this.world.ledger.finalise();
    }
    await settle();
  }

  opens(study: KeptStudy): number {
    return this.world.record(study)?.opens ?? 0;
  }

  held(study: KeptStudy): number {
    return (study.studyId && this.catalogue.byStudyId(study.studyId)?.objects.length) ?? 0;
  }

  async stop(): Promise<void> {
    await this.grantee.stop();
    await this.source.stop();
  }
}

const bodies = [randomBytes(100), randomBytes(200), randomBytes(300)];

test('a grant is recognised, opened, taken, delivered and closed', async () => {
  const scene = await Scene.start();
  const study = await scene.world.registeredStudy('1.2.3', bodies);
  const grant = await scene.world.grant(study, 'south');
  await scene.untilJob(grant, 'done');
  assert.equal(scene.held(study), 3);
  assert.equal(scene.delivered.length, 1);
  const { studyId } = study;
  assert.ok(studyId !== undefined);
  const open = scene.world.ledger.state().open(studyId, 1);
  assert.ok(open !== undefined && open.closed !== null);
  const [told] = scene.disclosures.list();
  assert.deepEqual([told?.direction, told?.outcome, told?.objects], ['in', 'released', 3]);
  await scene.stop();
});

for (const [name, make, words] of [
  ['referral', refer, /^referral [0-9a-f]{8} by the source$/],
  ['declared emergency', declareEmergency, /^emergency [0-9a-f]{8} declared by the recipient$/],
] as const) {
  test(`a ${name} is seen through like a grant, and told as what it is`, async () => {
    const scene = await Scene.start();
    const study = await scene.world.registeredStudy('1.2.3', bodies);
    const basis = await make(scene.world, study, 'south');
    await scene.untilJob(basis, 'done');
    assert.equal(scene.held(study), 3);
    const { studyId } = study;
    assert.ok(studyId !== undefined);
    assert.notEqual(scene.world.ledger.state().open(studyId, 1)?.closed, null);
    assert.match(scene.disclosures.list()[0]?.reason ?? '', words);
    await scene.stop();
  });
}

test('a grant to somebody else is not recognised', async () => {
  const scene = await Scene.start();
  const study = await scene.world.registeredStudy('1.2.3', bodies);
  const grant = await scene.world.grant(study, 'east');
  for (let i = 0; i < 5; i++) await settle();
  assert.equal(scene.job(grant), undefined);
  assert.equal(scene.opens(study), 0);
  await scene.stop();
});

test('a grant that became final while the box was down is found when it starts', async () => {
  const scene = await Scene.start();
  const study = await scene.world.registeredStudy('1.2.3', bodies);
  await settle();
  await scene.grantee.stop();
  const grant = await scene.world.grant(study, 'south');
  await scene.restart();
  await scene.untilJob(grant, 'done');
  assert.equal(scene.held(study), 3);
  await scene.stop();
});

for (const breakAfter of [0, 1, 2, 3, 4]) {
  test(`a stream that breaks after ${breakAfter} frames is resumed under the same receipt, also by a new process`, async () => {
    const scene = await Scene.start();
    scene.breakAfter = breakAfter;
    const study = await scene.world.registeredStudy('1.2.3', bodies);
    const grant = await scene.world.grant(study, 'south');
    await until(() => scene.streams === 1, 'a stream');
    await until(() => scene.disclosures.list()[0]?.outcome === 'failed', 'its break');
    assert.equal(scene.job(grant)?.state, 'opened');
    const held = Math.max(0, breakAfter - 2);
    assert.equal(scene.held(study), held);
    if (breakAfter % 2 === 0) await scene.restart();
    scene.breakAfter = Infinity;
    scene.world.clock.advance(retryFirstMs);
    await scene.untilJob(grant, 'done');
    assert.equal(scene.held(study), 3);
    assert.equal(scene.opens(study), 1);
    await scene.stop();
  });
}

test('a refusal is remembered with no reason, since the source gave none', async () => {
  const scene = await Scene.start();
  const study = await scene.world.registeredStudy('1.2.3', bodies);
  scene.world.hub.setConnected('north', 'south', false);
  const grant = await scene.world.grant(study, 'south');
  await until(() => (scene.job(grant)?.open ?? null) !== null, 'the request');
  await scene.world.revoke(study, grant);
  scene.world.hub.setConnected('north', 'south', true);
  scene.world.clock.advance(retryFirstMs);
  await scene.untilJob(grant, 'refused');
  assert.equal(scene.disclosures.list()[0]?.outcome, 'refused');
  assert.ok(!JSON.stringify(scene.disclosures.list()).includes('withdrew'));
  assert.equal(scene.held(study), 0);
  await scene.stop();
});

test('a version that became final while an earlier one was being taken is taken after it', async () => {
  const scene = await Scene.start();
  const study = await scene.world.registeredStudy('1.2.3', bodies.slice(0, 1));
  let grown = false;
  scene.onStream = async () => {
    if (grown) return;
    grown = true;
    await scene.world.keep('1.2.3', 2, randomBytes(50));
    await scene.world.complete(study);
    // The amendment is looked at while the job still runs.
    for (let i = 0; i < 5; i++) await settle();
  };
  const grant = await scene.world.grant(study, 'south');
  await scene.untilJob(grant, 'done');
  await until(() => scene.held(study) === 2 || scene.job(grant)?.state === 'done', 'the second version');
  for (let i = 0; i < 20 && scene.held(study) < 2; i++) {
    await settle();
    scene.world.clock.advance(retryFirstMs);
    scene.world.ledger.finalise();
  }
  assert.equal(scene.held(study), 2);
  await scene.untilJob(grant, 'done');
  assert.equal(scene.opens(study), 2);
  await scene.stop();
});

test('a version that comes later is taken too if the grant covers it, and not otherwise', async () => {
  for (const amendments of [true, false]) {
    const scene = await Scene.start();
    const study = await scene.world.registeredStudy('1.2.3', bodies.slice(0, 1));
    const grant = await scene.world.grant(study, 'south', { amendments });
    await scene.untilJob(grant, 'done');
    await scene.world.keep('1.2.3', 2, randomBytes(50));
    await scene.world.complete(study);
    for (let i = 0; i < 5; i++) await settle();
    await scene.untilJob(grant, 'done');
    assert.equal(scene.held(study), amendments ? 2 : 1);
    assert.equal(scene.opens(study), amendments ? 2 : 1);
    await scene.stop();
  }
});

test('a study that grows costs one open when it is granted and one when it is closed', async () => {
  const scene = await Scene.start();
  const study = await scene.world.registeredStudy('1.2.3', bodies.slice(0, 1));
  const { studyId } = study;
  assert.ok(studyId !== undefined);
  const grant = await scene.world.grant(study, 'south', { maxOpens: 2 });
  await scene.untilJob(grant, 'done');
  for (let number = 2; number <= 8; number++) {
    await scene.world.keep('1.2.3', number, randomBytes(50));
    await scene.world.register(study);
    for (let i = 0; i < 3; i++) await settle();
  }
  assert.equal(scene.opens(study), 1, 'no open is spent while it grows');
  assert.equal(scene.grantee.isWhole(studyId), false, 'and nobody is told that it is whole');
  await scene.world.complete(study);
  await until(() => scene.job(grant)?.state !== 'done' || scene.held(study) === 8, 'the closed version');
  await scene.untilJob(grant, 'done');
  assert.equal(scene.held(study), 8);
  assert.equal(scene.opens(study), 2);
  assert.equal(scene.grantee.isWhole(studyId), true);
  await scene.stop();
});

test('two grants of one study at once never write into it side by side', async () => {
  const scene = await Scene.start();
  const study = await scene.world.registeredStudy('1.2.3', bodies);
  let waiting = 0;
  let most = 0;
  scene.onStream = async () => {
    most = Math.max(most, ++waiting);
    for (let i = 0; i < 5; i++) await settle();
    waiting -= 1;
  };
  const grants = [await scene.world.grant(study, 'south'), await scene.world.grant(study, 'south')];
  for (const grant of grants) await scene.untilJob(grant, 'done');
  assert.equal(most, 1);
  assert.equal(scene.held(study), 3);
  await scene.restart();
  assert.equal(scene.held(study), 3);
  await scene.stop();
});

test('of several grants of a study the newest counts, after a restart too', async () => {
  const scene = await Scene.start();
  const study = await scene.world.registeredStudy('1.2.3', bodies);
  const { studyId } = study;
  assert.ok(studyId !== undefined);
  const grants: AccessGrant[] = [];
  for (let i = 0; i < 4; i++) {
    const grant = await scene.world.grant(study, 'south');
    await scene.untilJob(grant, 'done');
    grants.push(grant);
    const newest = toBasisId(Buffer.from(basisId(grant), 'hex'));
    assert.equal(scene.jobs.ofStudy(studyId)?.grantId, newest);
    await scene.restart();
    assert.equal(scene.jobs.ofStudy(studyId)?.grantId, newest);
  }
  await scene.stop();
});

test('a person asks: without a grant it is refused like everything else, with one it is fetched', async () => {
  const scene = await Scene.start();
  const study = await scene.world.registeredStudy('1.2.3', bodies);
  const { studyId } = study;
  assert.ok(studyId !== undefined);
  const asking = scene.grantee.ask('north', studyId);
  await settle();
  scene.world.clock.advance(refusalAnswerMs);
  assert.deepEqual(await asking, { kind: 'refused' });
  assert.match(scene.disclosures.list()[0]?.reason ?? '', /this box holds no grant/);
  const grant = await scene.world.grant(study, 'south');
  await scene.untilJob(grant, 'done');
  assert.deepEqual(await scene.grantee.ask('north', studyId), { kind: 'kept', objects: 3 });
  await scene.stop();
});

test('what was refused under a final receipt goes on with that receipt when a person asks again', async () => {
  const scene = await Scene.start();
  const study = await scene.world.registeredStudy('1.2.3', bodies);
  const { studyId } = study;
  assert.ok(studyId !== undefined);
  scene.refuses = true;
  const grant = await scene.world.grant(study, 'south', { maxOpens: 1 });
  await scene.untilJob(grant, 'refused', retryLongestMs / 10);
  assert.equal(scene.opens(study), 1);
  scene.refuses = false;
  const asked = scene.grantee.ask('north', studyId);
  await scene.untilJob(grant, 'done');
  assert.deepEqual(await asked, { kind: 'kept', objects: bodies.length });
  assert.equal(scene.opens(study), 1);
  assert.notEqual(scene.world.ledger.state().open(studyId, 1)?.closed, null);
  await scene.stop();
});

test('two people who ask at the same time use one open', async () => {
  const scene = await Scene.start();
  const study = await scene.world.registeredStudy('1.2.3', bodies);
  const { studyId } = study;
  assert.ok(studyId !== undefined);
  const grant = await scene.world.grant(study, 'south', { maxOpens: 10 });
  await scene.untilJob(grant, 'done');
  const asked = [1, 2, 3].map(() => {
    scene.world.clock.advance(1);
    return scene.grantee.ask('north', studyId);
  });
  for (let i = 0; i < 5; i++) await settle();
  scene.world.clock.advance(refusalAnswerMs);
  const outcomes = await Promise.all(asked);
  assert.ok(outcomes.every(({ kind }) => kind === 'kept'));
  assert.equal(scene.opens(study), 2);
  await scene.stop();
});

test('whoever asks does not wait for the pause before the next try', async () => {
  const scene = await Scene.start();
  const study = await scene.world.registeredStudy('1.2.3', bodies);
  const { studyId } = study;
  assert.ok(studyId !== undefined);
  scene.breakAfter = 3;
  const grant = await scene.world.grant(study, 'south');
  await scene.untilJob(grant, 'opened');
  for (let i = 0; i < 5; i++) await settle();
  assert.equal(scene.job(grant)?.state, 'opened', 'it pauses after the break');
  scene.breakAfter = Infinity;
  // The clock stands still: no pause ends by itself.
  assert.deepEqual(await scene.grantee.ask('north', studyId), { kind: 'kept', objects: 3 });
  assert.equal(scene.opens(study), 1);
  await scene.stop();
});
