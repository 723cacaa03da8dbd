/** The grantee's side of a release: one opening receipt whatever is lost on the way, and patience with a source that is behind. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { verifyEd25519 } from '../../firmware/src/box/signatures.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { toBasisId } from '../../firmware/src/ledger/ids.ts';
import { basisId } from '../../firmware/src/ledger/index.ts';
import type { AccessGrant, OpenRecord } from '../../firmware/src/ledger/types.ts';
import type { Network, OpenPlane, RequestOptions } from '../../firmware/src/ports.ts';
import { Disclosures } from '../../firmware/src/release/disclosures.ts';
import { openOf } from '../../firmware/src/release/fetch-job-contents.ts';
import { FetchJobs, type FetchJob } from '../../firmware/src/release/fetch-jobs.ts';
import { Grantee } from '../../firmware/src/release/grantee.ts';
import { headAgeMsMax, refusalAnswerMs, refusalsMax } from '../../firmware/src/release/limits.ts';
import { retryLongestMs } from '../../firmware/src/retry/limits.ts';
import { encodeReleaseAnswer } from '../../firmware/src/release/messages.ts';
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
import { openPlainScanner } from '../support/plain-data-set.ts';
import { ReleaseWorld } from '../support/release-world.ts';
import { settle } from '../support/until.ts';

type Request = (...args: Parameters<Network['request']>) => Promise<Uint8Array>;

/** Source and grantee on one ledger; what lies between them can be made to fail. */
class Scene {
  readonly world = new ReleaseWorld();
  readonly store = new MemoryStore();
  readonly catalogue = new Catalogue(new MemoryObjectStore(new MemoryObjectDisk()));
  readonly #toSource = this.world.hub.join('south');
  readonly #source = new ReleaseSource({
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
  jobs = new FetchJobs(this.store);
  asked = 0;
  /** Replaced to lose requests or answers. */
  request: Request = (...args) => this.send(...args);
  #grantee: Grantee | undefined;

  async startSource(): Promise<void> {
    await this.#source.start();
  }

  send(to: string, protocol: string, body: Uint8Array, options?: RequestOptions): Promise<Uint8Array> {
    return this.#toSource.request(to, protocol, body, options);
  }

  async start(): Promise<void> {
    this.jobs = new FetchJobs(this.store);
    await this.jobs.load();
    this.#grantee = new Grantee({
      account: this.world.account('south'),
      ledger: this.world.ledger,
      network: {
        ...this.#toSource,
        request: (...args: Parameters<Network['request']>) => {
          this.asked += 1;
          return this.request(...args);
        },
      } as Network,
      openPlane: this.#openPlane,
      jobs: this.jobs,
      receiver: new StudyReceiver({
        catalogue: this.catalogue,
        openHeaderScanner: openPlainScanner,
        clock: this.world.clock,
        keepRoom: ampleRoom,
      }),
      catalogue: this.catalogue,
      disclosures: new Disclosures(this.store, this.world.clock),
      onKept: () => Promise.resolve(),
      clock: this.world.clock,
      logger: silentLogger,
    });
    await this.#grantee.start();
  }

  async stop(): Promise<void> {
    await this.#grantee?.stop();
    await this.#source.stop();
  }

  readonly #openPlane: OpenPlane = () => {
    const exporter = bytesOf('exporter');
    const serve = (body: Uint8Array) =>
      this.#source.serve({ institution: 'south', exporter, body, cut: () => undefined });
    return Promise.resolve({
      exporter,
      async *request(body) {
        const frames = await serve(body);
        if (frames === undefined) throw new AppError('NOT_RELEASED', 'nothing is released');
        for await (const frame of frames) yield new Uint8Array(frame);
      },
      close: () => undefined,
    });
  };

  job(grant: AccessGrant): FetchJob | undefined {
    return this.jobs.get(toBasisId(Buffer.from(basisId(grant), 'hex')));
  }

  /** Lets time pass, with blocks so that the ledger stays fresh, until the job has come to this. */
  async until(isSo: () => boolean, what: string): Promise<void> {
    for (let ms = 0; !isSo(); ms += refusalAnswerMs) {
      assert.ok(ms < (refusalsMax + 2) * retryLongestMs, `never came: ${what}`);
      await settle();
      this.world.ledger.finalise();
      this.world.clock.advance(refusalAnswerMs);
    }
  }

  opens(study: KeptStudy): OpenRecord[] {
    const { studyId } = study;
    assert.ok(studyId !== undefined);
    const state = this.world.ledger.state();
    const numbers = Array.from({ length: state.study(studyId)?.opens ?? 0 }, (_, index) => index + 1);
    return numbers.flatMap((number) => state.open(studyId, number) ?? []);
  }
}

async function scene(): Promise<{ readonly scene: Scene; readonly study: KeptStudy }> {
  const made = new Scene();
  await made.startSource();
  const study = await made.world.registeredStudy('1.2.3', [randomBytes(500), randomBytes(70)]);
  return { scene: made, study };
}

const refusedAnswer = encodeReleaseAnswer({ kind: 'refused' });

test('a grant is fetched under one receipt, which is closed', async (t) => {
  const { scene: at, study } = await scene();
  await at.start();
  t.after(() => at.stop());
  const grant = await at.world.grant(study, 'south');
  await at.until(() => at.job(grant)?.state === 'done', 'the fetched study');
  assert.equal(at.catalogue.byStudyId(study.studyId!)?.objects.length, 2);
  const opens = at.opens(study);
  assert.equal(opens.length, 1);
  assert.notEqual(opens[0]?.closed, null);
});

for (const [when, recorded] of [
  ['before it reached the source', false],
  ['after it was final', true],
] as const) {
  test(`a receipt whose request was lost ${when} is the only one, also after a crash`, async (t) => {
    const { scene: at, study } = await scene();
    at.request = async (...args) => {
      if (recorded) await at.send(...args);
      return new Promise(() => undefined); // the box is killed while it waits for the answer
    };
    await at.start();
    const grant = await at.world.grant(study, 'south');
    await at.until(() => at.asked > 0 && (!recorded || at.opens(study).length > 0), 'the request');

    const signed = at.job(grant)?.open;
    // As after kill -9: nothing but the store is left.
    at.request = (...args) => at.send(...args);
    await at.start();
    t.after(() => at.stop());
    await at.until(() => at.job(grant)?.state === 'done', 'the fetched study');
    assert.deepEqual(at.job(grant)?.open, signed);
    assert.equal(at.opens(study).length, 1);
    assert.notEqual(at.opens(study)[0]?.closed, null);
  });
}

test('a source that refuses because it is behind is asked again', async (t) => {
  const { scene: at, study } = await scene();
  at.request = (...args) => (at.asked <= 3 ? Promise.resolve(refusedAnswer) : at.send(...args));
  await at.start();
  t.after(() => at.stop());
  const grant = await at.world.grant(study, 'south');
  await at.until(() => at.job(grant)?.state === 'done', 'the fetched study');
  assert.equal(at.opens(study).length, 1);
});

test('a receipt whose number an earlier one has taken after all is signed anew at once', async (t) => {
  const { scene: at, study } = await scene();
  const sent: (() => Promise<Uint8Array>)[] = [];
  at.request = (...args) => {
    sent.push(() => at.send(...args));
    return new Promise(() => undefined);
  };
  await at.start();
  const grant = await at.world.grant(study, 'south');
  await at.until(() => sent.length === 1, 'the first receipt');
  const first = at.job(grant);
  assert.ok(first !== undefined);
  const { validUntil } = openOf(first);
  // The box is killed, and signs another one at the moment in which the first is valid for the ledger alone.
  at.world.clock.advance(validUntil - 1 - at.world.clock.now());
  at.world.ledger.finalise();
  at.world.clock.advance(1);
  await at.start();
  await settle();
  assert.equal(sent.length, 2);
  await sent[0]?.();
  assert.equal(at.opens(study).length, 1);

  at.request = (...args) => at.send(...args);
  const asked = at.asked;
  await at.start();
  t.after(() => at.stop());
  await at.until(() => at.job(grant)?.state === 'done', 'the fetched study');
  assert.equal(at.asked - asked, 2, 'one more open and its close');
  assert.deepEqual(
    at.opens(study).map(({ closed }) => closed !== null),
    [false, true],
  );
});

test('refusals while the ledger stands still do not count, however long that lasts', async (t) => {
  const { scene: at, study } = await scene();
  let standsStill = true;
  at.request = (...args) => (standsStill ? Promise.resolve(refusedAnswer) : at.send(...args));
  const grant = await at.world.grant(study, 'south');
  at.world.clock.advance(headAgeMsMax + 1);
  await at.start();
  t.after(() => at.stop());
  for (let refusals = 0; refusals < 2 * refusalsMax; refusals++) {
    await settle();
    at.world.clock.advance(retryLongestMs);
  }
  assert.ok(at.asked > refusalsMax + 1, `asked ${at.asked} times`);
  standsStill = false;
  await at.until(() => at.job(grant)?.state === 'done', 'the fetched study');
});

test('a source that goes on refusing, or refuses what was withdrawn, is left in peace', async (t) => {
  const { scene: at, study } = await scene();
  at.request = () => Promise.resolve(refusedAnswer);
  await at.start();
  t.after(() => at.stop());
  await at.world.grant(study, 'south');
  await at.until(() => at.asked === refusalsMax + 1, 'the last refusal');
  for (let i = 0; i < 10; i++) {
    await settle();
    at.world.clock.advance(retryLongestMs);
  }
  assert.equal(at.asked, refusalsMax + 1);

  at.request = async () => {
    await at.world.revoke(study, 'all');
    return refusedAnswer;
  };
  const withdrawn = await at.world.grant(study, 'south');
  await at.until(() => at.job(withdrawn)?.state === 'refused', 'the refusal');
  at.world.clock.advance(retryLongestMs);
  await settle();
  assert.equal(at.asked, refusalsMax + 2);
});
