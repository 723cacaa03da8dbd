/** Receipts that a source has signed and nobody closes: an alarm, also after a restart; and what is left of others goes. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { openId } from '../../firmware/src/ledger/index.ts';
import type { AccessGrant, AccessOpen, LedgerState } from '../../firmware/src/ledger/types.ts';
import type { RecognisedGrant } from '../../firmware/src/protocol/grants.ts';
import {
  looksOfRoundMax,
  receiptAheadMsMax,
  receiptGivenUpMs,
  receiptOpenMsMax,
  receiptsLookedAtMax,
  receiptsLookMs,
} from '../../firmware/src/release/limits.ts';
import { OpenSessions } from '../../firmware/src/release/open-sessions.ts';
import { ReceiptWatch } from '../../firmware/src/release/receipt-watch.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { bytesOf } from '../fakes/ledger.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { closeRequest, granted, openRequest, type SourceScene } from '../support/source-scene.ts';
import { settle } from '../support/until.ts';

class Watched {
  readonly scene: SourceScene;
  readonly study: KeptStudy;
  readonly grant: AccessGrant;
  health = new MemoryHealthBoard();
  #watch: ReceiptWatch | undefined;

  private constructor(scene: SourceScene, study: KeptStudy, grant: AccessGrant) {
    this.scene = scene;
    this.study = study;
    this.grant = grant;
  }

  static async start(t: TestContext): Promise<Watched> {
    const { scene, study, grant } = await granted();
    const watched = new Watched(scene, study, grant);
    await watched.#start();
    t.after(() => watched.#watch?.stop());
    return watched;
  }

  async #start(): Promise<void> {
    const { world, sessions } = this.scene;
    this.health = new MemoryHealthBoard();
    const { health } = this;
    const { ledger, clock } = world;
    this.#watch = new ReceiptWatch({ ledger, sessions, health, clock, logger: silentLogger });
    await this.#watch.start();
  }

  /** As by kill -9 and a new start: only what is in the store is left. */
  async restart(): Promise<void> {
    await this.#watch?.stop();
    await this.scene.restart();
    await this.#start();
  }

  async open(openNo = 1): Promise<{ readonly open: AccessOpen; readonly grantee: RecognisedGrant }> {
    const request = await openRequest(this.scene, this.study, this.grant, { openNo });
    await this.scene.ask(request.bytes);
    return request;
  }

  /** To its end. */
  async stream(open: AccessOpen, grantee: RecognisedGrant): Promise<void> {
    const { frames } = await this.scene.stream(open, grantee);
    assert.ok(frames !== undefined);
    let bytes = 0;
    for await (const frame of frames) bytes += frame.length;
    assert.ok(bytes > 0);
  }

  async close(open: AccessOpen, grantee: RecognisedGrant): Promise<void> {
    await this.scene.ask(await closeRequest(this.scene, this.study, open, grantee));
  }

  /** Time passes, with blocks, until the watch has looked again. */
  async pass(ms: number): Promise<void> {
    const { clock, ledger } = this.scene.world;
    clock.advance(ms - (ms % receiptsLookMs));
    ledger.finalise();
    clock.advance(receiptsLookMs);
    await settle();
  }

  get alarms(): readonly (readonly [subject: string, detail: string])[] {
    return this.health
      .list()
      .filter(({ code }) => code === 'RECEIPT_OPEN')
      .map(({ subject, detail }) => [subject, detail] as const);
  }

  get sessionsOnDisk(): number {
    return [...this.scene.store.values.keys()].filter((key) => key.startsWith('open/')).length;
  }
}

test('an open that is not closed within an hour is an alarm of its member, until it is closed', async (t) => {
  const watched = await Watched.start(t);
  const first = await watched.open();
  const second = await watched.open(2);
  await watched.pass(receiptOpenMsMax - 2 * receiptsLookMs);
  assert.deepEqual(watched.alarms, []);
  await watched.pass(2 * receiptsLookMs);
  assert.equal(watched.alarms.length, 1);
  assert.equal(watched.alarms[0]?.[0], 'south');
  assert.match(
    watched.alarms[0][1],
    /^Releases that it has not confirmed: 2\. The first: grant [0-9a-f]{8} by the patient\.$/,
  );
  await watched.close(first.open, first.grantee);
  await watched.pass(0);
  assert.match(watched.alarms[0]?.[1] ?? '', /confirmed: 1\./);
  await watched.close(second.open, second.grantee);
  await watched.pass(0);
  assert.deepEqual(watched.alarms, []);
  assert.equal(watched.sessionsOnDisk, 0);
});

test('an open whose basis has ended is an alarm at once, and again after a restart', async (t) => {
  const watched = await Watched.start(t);
  const { open, grantee } = await watched.open();
  await watched.stream(open, grantee);
  await watched.pass(0);
  assert.deepEqual(watched.alarms, []);
  await watched.scene.world.revoke(watched.study, 'all');
  await watched.pass(0);
  assert.equal(watched.alarms.length, 1);
  await watched.restart();
  assert.equal(watched.alarms.length, 1);
  await watched.close(open, grantee);
  await watched.pass(0);
  assert.deepEqual(watched.alarms, []);
});

test('an open whose basis ended before anything was streamed is no alarm', async (t) => {
  const watched = await Watched.start(t);
  const { open } = await watched.open();
  await watched.scene.world.revoke(watched.study, 'all');
  await watched.pass(2 * receiptOpenMsMax);
  assert.deepEqual(watched.alarms, []);
  assert.notEqual(watched.scene.sessions.get(openId(open)), undefined, 'it may stand again');
  await watched.pass(receiptGivenUpMs);
  assert.equal(watched.sessionsOnDisk, 0);
});

test('what was closed while the box was killed before it could say so is no alarm, and its session goes', async (t) => {
  const watched = await Watched.start(t);
  const { open, grantee } = await watched.open();
  const { ledger } = watched.scene.world;
  ledger.before = (transaction) => {
    ledger.finalise(transaction);
    return new Promise(() => undefined);
  };
  const request = await closeRequest(watched.scene, watched.study, open, grantee);
  const lost = watched.scene.send(request);
  await settle();
  assert.notEqual(ledger.state().openById(openId(open))?.closed, null);
  assert.equal(watched.sessionsOnDisk, 1);
  await watched.restart();
  assert.deepEqual(watched.alarms, []);
  assert.equal(watched.sessionsOnDisk, 0);
  await assert.rejects(Promise.race([lost, Promise.reject(new Error('killed'))]), /killed/);
});

test('the session of a receipt for which nobody waited is dropped once it can be final no more, and not before', async (t) => {
  const watched = await Watched.start(t);
  const { scene } = watched;
  scene.world.ledger.before = () => new Promise(() => undefined);
  const request = await openRequest(scene, watched.study, watched.grant);
  // It is killed while it waits.
  void Promise.allSettled([scene.send(request.bytes)]);
  await settle();
  assert.equal(watched.sessionsOnDisk, 1);
  await watched.restart();
  assert.equal(watched.sessionsOnDisk, 1, 'it may become final yet');
  await watched.pass(receiptAheadMsMax);
  assert.equal(watched.sessionsOnDisk, 0);
  assert.deepEqual(watched.alarms, []);
});

test('an alarm of what ended a month ago ends: whoever has not closed it never will', async (t) => {
  const watched = await Watched.start(t);
  const { open, grantee } = await watched.open();
  await watched.stream(open, grantee);
  await watched.scene.world.revoke(watched.study, 'all');
  await watched.pass(receiptOpenMsMax);
  assert.equal(watched.alarms.length, 1);
  // A month without its timers, as after a correction of the time of day.
  watched.scene.world.clock.setBack(2 * receiptOpenMsMax - receiptGivenUpMs);
  await watched.pass(0);
  assert.equal(watched.alarms.length, 1);
  await watched.pass(2 * receiptOpenMsMax);
  assert.deepEqual(watched.alarms, []);
  assert.equal(watched.sessionsOnDisk, 0);
  // The truth can be told even so.
  await watched.close(open, grantee);
  assert.notEqual(watched.scene.world.ledger.state().openById(openId(open))?.closed, null);
});

/** A watch over so many open receipts, and which of them each look is about. */
async function watching(count: number) {
  const { scene, grant, study } = await granted();
  const { clock, ledger } = scene.world;
  const sessions = new OpenSessions(new MemoryStore());
  for (let i = 0; i < count; i++) {
    await sessions.keep({
      openId: bytesOf(`open ${i}`),
      grantId: randomBytes(32),
      studyId: study.studyId!,
      institution: 'south',
      granteeKey: grant.granteeKey,
      streamed: true,
      head: bytesOf('head'),
      validUntil: clock.now() + receiptAheadMsMax,
    });
  }
  const asked: string[] = [];
  const openById: LedgerState['openById'] = (id) => {
    asked.push(id);
    return undefined;
  };
  const state = new Proxy(ledger.state(), {
    get: (target, key) => (key === 'openById' ? openById : (Reflect.get(target, key) as unknown)),
  });
  const watch = new ReceiptWatch({
    ledger: { head: () => ledger.head(), state: () => state },
    sessions,
    health: new MemoryHealthBoard(),
    clock,
    logger: silentLogger,
  });
  await watch.start();
  const nextLook = async (): Promise<string[]> => {
    const before = asked.length;
    clock.advance(receiptsLookMs);
    await settle();
    return asked.slice(before);
  };
  return { watch, firstLook: [...asked], nextLook };
}

test('a look stays short however many receipts are open, and all have their turn', async () => {
  const { watch, firstLook, nextLook } = await watching(receiptsLookedAtMax + 100);
  assert.equal(firstLook.length, receiptsLookedAtMax);
  const second = await nextLook();
  assert.equal(second.length, 100);
  assert.equal(new Set([...firstLook, ...second]).size, receiptsLookedAtMax + 100);
  assert.equal((await nextLook())[0], firstLook[0], 'the next round begins with the first');
  await watch.stop();
});

test('where very many receipts are open, a look is as long as it takes for all to have their turn in time', async () => {
  const count = looksOfRoundMax * receiptsLookedAtMax + 1;
  const { watch, firstLook, nextLook } = await watching(count);
  const looked = new Set(firstLook);
  for (let look = 2; look <= looksOfRoundMax; look++) for (const id of await nextLook()) looked.add(id);
  assert.equal(looked.size, count);
  await watch.stop();
});

test('a round ends though more and more come while it runs', async (t) => {
  const { scene, grant, study } = await granted();
  const { clock, ledger } = scene.world;
  const sessions = new OpenSessions(new MemoryStore());
  const health = new MemoryHealthBoard();
  const watch = new ReceiptWatch({ ledger, sessions, health, clock, logger: silentLogger });
  const request = await openRequest(scene, study, grant);
  await scene.ask(request.bytes);
  const [mine] = scene.sessions.all();
  assert.ok(mine !== undefined);
  await sessions.keep(mine);
  let others = 0;
  await watch.start();
  t.after(() => watch.stop());
  for (let minute = 0; minute <= receiptOpenMsMax / 60_000 + 2 * looksOfRoundMax; minute++) {
    // Twice as many as a look takes, and none of them ever ends.
    for (let each = 0; each < 2 * receiptsLookedAtMax; each++)
      await sessions.keep({
        ...mine,
        openId: bytesOf(`other ${others++}`),
        validUntil: Number.MAX_SAFE_INTEGER,
      });
    clock.advance(receiptsLookMs);
    ledger.finalise();
    await settle();
  }
  assert.equal(health.list().find(({ code }) => code === 'RECEIPT_OPEN')?.subject, 'south');
});

test('a disk that lets nothing be dropped now lets it be later, and keeps nothing from being told', async (t) => {
  const watched = await Watched.start(t);
  const { open, grantee } = await watched.open();
  const { store } = watched.scene;
  const write = store.write.bind(store);
  watched.scene.world.ledger.finalise();
  const { ledger } = watched.scene.world;
  store.write = () => Promise.reject(new Error('disk full'));
  await assert.rejects(async () => {
    await watched.scene.send(await closeRequest(watched.scene, watched.study, open, grantee));
  });
  assert.notEqual(ledger.state().openById(openId(open))?.closed, null);
  await watched.pass(0);
  assert.equal(watched.sessionsOnDisk, 1);
  store.write = write;
  await watched.pass(0);
  await watched.pass(0);
  assert.equal(watched.sessionsOnDisk, 0);
});
