/** Watching over the members, with a clock and a chance that the test holds. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { noFormerOrigins } from '../../firmware/src/attestation/expectation.ts';
import { encodeAttestationAnswer } from '../../firmware/src/attestation/messages.ts';
import { readEndorsementKey } from '../../firmware/src/attestation/public-area.ts';
import { subjectPublicKeyInfo } from '../../firmware/src/attestation/web-key.ts';
import { AttestationAnswerer } from '../../firmware/src/attesting/answerer.ts';
import {
  firstAskMsMax,
  intervalSpreadPercent,
  lookMsMax,
  memberAnswerMsMin,
  refusalsMax,
  retryMsMax,
  silentIntervals,
} from '../../firmware/src/attesting/limits.ts';
import { MemberWatch, type AttestationRule } from '../../firmware/src/attesting/member-watch.ts';
import { Standings } from '../../firmware/src/attesting/standing.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { Health } from '../../firmware/src/box/health.ts';
import { FakeDevice } from '../fakes/attesting-device.ts';
import { bytesOf, keysExpiry } from '../fakes/ledger.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { TpmVendor } from '../support/tpm-vendor.ts';
import { settle, until } from '../support/until.ts';

const now = keysExpiry - 365 * 86_400_000;

let vendor: TpmVendor;
let north: FakeDevice;
/** What its PCRs 7 and 11 hold. */
let authority: Uint8Array;
let release: Uint8Array;
before(async () => {
  vendor = await TpmVendor.make({ from: now - 1_000 });
  north = await FakeDevice.make('north', vendor);
  const [seven, eleven] = await north.registers();
  assert.ok(seven && eleven);
  [authority, release] = [seven, eleven];
});

const trust = () => ({ roots: [vendor.pin], development: false });

const everyMs = 3_600_000;

/** Says whether the watch sleeps on it: then nothing is under way. */
class WatchClock extends ManualClock {
  sleeping = 0;

  override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleeping += 1;
    try {
      await super.sleep(ms, signal);
    } finally {
      this.sleeping -= 1;
    }
  }
}

/** A box that watches over north, which answers as the test lets it. */
class Watching {
  readonly clock = new WatchClock(now);
  /** Of the member that is asked. */
  readonly #memberClock = new ManualClock(now);
  readonly store: MemoryStore;
  readonly health: Health;
  readonly logger = new RecordingLogger();
  rule: AttestationRule = { everyMs, suspends: true };
  members = ['north'];
  /** `not`: nothing connects them. `cut`: connected, and each question is broken off. */
  answers: 'honestly' | 'with a lie' | 'not' | 'cut' | 'busily' | 'not now' = 'honestly';
  device = north;
  /** What the ledger has of north, as this box knows it. */
  known = north.record;
  asked = 0;
  #watch: MemberWatch | undefined;

  get watch(): MemberWatch {
    assert.ok(this.#watch);
    return this.#watch;
  }

  constructor(store = new MemoryStore()) {
    this.store = store;
    this.health = new Health(this.clock, this.logger);
  }

  async start(): Promise<void> {
    const standings = new Standings(this.store);
    await standings.load();
    const { device } = this;
    const answerer = new AttestationAnswerer({
      self: device.institution,
      device,
      record: () => Promise.resolve(device.record),
      clock: this.#memberClock,
    });
    this.#watch = new MemberWatch({
      members: () => this.members,
      keysOf: () => this.known.keys,
      isConnected: () => this.answers !== 'not',
      rule: () => this.rule,
      expectationOf: (candidate, provenTpms) => ({
        chain: bytesOf('chain'),
        verifier: 'south',
        candidate,
        trust: trust(),
        record: this.known,
        proposed: false,
        former: noFormerOrigins,
        evadedSince: undefined,
        provenTpms,
        bootAuthorities: [authority],
        releases: [this.answers === 'with a lie' ? bytesOf('another release') : release],
        now: this.clock.now(),
      }),
      ask: () => (request) => {
        this.asked += 1;
        return this.#answer(answerer, request);
      },
      standings,
      health: this.health,
      clock: this.clock,
      logger: this.logger,
      random: (length) => new Uint8Array(length).fill(0x80),
    });
    await this.watch.start();
  }

  async #answer(answerer: AttestationAnswerer, request: Uint8Array): Promise<Uint8Array> {
    if (this.answers === 'not' || this.answers === 'cut')
      throw new AppError('PEER_UNREACHABLE', 'north is not connected');
    if (this.answers === 'busily') return encodeAttestationAnswer({ type: 'refused', reason: 'busy' });
    if (this.answers === 'not now')
      return encodeAttestationAnswer({ type: 'refused', reason: 'not-answerable' });
    this.#memberClock.advance(memberAnswerMsMin);
    return (await answerer.answer({ member: 'south' }, request)) ?? new Uint8Array(0);
  }

  /** Lets time pass in steps, with what is due in between. */
  async pass(ms: number): Promise<void> {
    const step = 30_000;
    for (let passed = 0; passed < ms; passed += step) {
      this.clock.advance(step);
      await settle();
      await until(() => this.clock.sleeping === 1, 'the watch sleeps again');
    }
  }

  alarms(): string[] {
    return this.health.list().map(({ code, subject }) => `${code} ${subject}`);
  }

  async stop(): Promise<void> {
    await this.watch.stop();
  }
}

const results = (watching: Watching) =>
  watching.watch.list().map(({ institution, result }) => `${institution} ${result}`);

test('members are asked again and again, and what was found is kept', async () => {
  const watching = new Watching();
  await watching.start();
  assert.deepEqual(results(watching), ['north unknown']);
  await watching.pass(firstAskMsMax);
  assert.deepEqual(results(watching), ['north passed']);
  assert.equal(watching.asked, 2, 'two rounds');
  await watching.pass(everyMs * (1 + intervalSpreadPercent / 100));
  assert.equal(watching.asked, 4, 'once an interval');
  assert.deepEqual(watching.alarms(), []);
  assert.equal(watching.watch.suspends('north'), false);
  const [standing] = watching.watch.list();
  assert.ok(standing);
  assert.ok(standing.heardAt > standing.since, 'since when it passes, and when it was last heard');
  assert.ok(standing.checks.every(({ passed }) => passed));
  await watching.stop();
});

test('a failure is an alarm and suspends, until the member attests again; a restart ends neither', async () => {
  const watching = new Watching();
  await watching.start();
  watching.answers = 'with a lie';
  await watching.pass(firstAskMsMax);
  assert.deepEqual(results(watching), ['north failed']);
  assert.deepEqual(watching.alarms(), ['ATTESTATION_FAILED north']);
  assert.equal(watching.watch.suspends('north'), true);
  watching.rule = { everyMs, suspends: false };
  assert.equal(watching.watch.suspends('north'), false, 'as the consortium says');
  await watching.stop();

  const restarted = new Watching(watching.store);
  await restarted.start();
  assert.equal(restarted.watch.suspends('north'), true);
  assert.deepEqual(restarted.alarms(), ['ATTESTATION_FAILED north']);
  await restarted.pass(firstAskMsMax);
  assert.deepEqual(results(restarted), ['north passed']);
  assert.deepEqual(restarted.alarms(), []);
  assert.equal(restarted.watch.suspends('north'), false);
  await restarted.stop();
});

const silentAlarm = [['north silent'], ['ATTESTATION_MISSING north']];

test('who is not reached is asked again soon; who is not reached for long is an alarm', async () => {
  const watching = new Watching();
  watching.answers = 'not';
  await watching.start();
  await watching.pass(firstAskMsMax);
  const asked = watching.asked;
  assert.ok(asked > 0);
  await watching.pass(2 * refusalsMax * retryMsMax);
  assert.ok(watching.asked > asked, 'again soon');
  assert.deepEqual([results(watching), watching.alarms()], [['north unknown'], []]);
  await watching.pass(silentIntervals * everyMs);
  assert.deepEqual([results(watching), watching.alarms()], silentAlarm);
  assert.equal(watching.watch.suspends('north'), true);
  watching.answers = 'honestly';
  await watching.pass(2 * retryMsMax);
  assert.deepEqual([results(watching), watching.alarms()], [['north passed'], []]);
  await watching.stop();
});

test('a connected member that puts its questioners off is an alarm within minutes', async () => {
  for (const answers of ['cut', 'busily', 'not now'] as const) {
    const watching = new Watching();
    await watching.start();
    await watching.pass(firstAskMsMax);
    assert.deepEqual(results(watching), ['north passed']);
    watching.answers = answers;
    const asked = watching.asked;
    while (watching.asked === asked) await watching.pass(30_000);
    assert.deepEqual([results(watching), watching.alarms()], [['north passed'], []], 'once is no alarm');
    await watching.pass(refusalsMax * retryMsMax);
    assert.deepEqual([results(watching), watching.alarms()], silentAlarm, answers);
    assert.equal(watching.watch.suspends('north'), true);
    // Its TPM was not reset meanwhile: it only had too much to do.
    watching.answers = 'honestly';
    await watching.pass(2 * retryMsMax);
    assert.deepEqual([results(watching), watching.alarms()], [['north passed'], []]);
    await watching.stop();
  }
});

test('who hangs up on its questioners, and comes for what it wants in between, is an alarm as soon', async () => {
  const device = await FakeDevice.make('north', vendor);
  const watching = new Watching();
  watching.device = device;
  watching.known = device.record;
  await watching.start();
  await watching.pass(firstAskMsMax);
  watching.answers = 'not';
  const released: boolean[] = [];
  for (let visit = 0; visit < refusalsMax + 1; visit++) {
    released.push(!watching.watch.suspendsAsker('north'));
    const { asked } = watching;
    while (watching.asked === asked) await watching.pass(30_000);
  }
  assert.deepEqual(released, [...Array<boolean>(refusalsMax).fill(true), false]);
  assert.deepEqual([results(watching), watching.alarms()], silentAlarm);
  // Whoever did that, and was started anew meanwhile, ran what nobody has seen.
  device.resets += 1;
  watching.answers = 'honestly';
  await watching.pass(2 * retryMsMax);
  assert.deepEqual(results(watching), ['north failed']);
  assert.equal(watching.watch.list()[0]?.checks.find(({ passed }) => !passed)?.name, 'resets');
  await watching.stop();
});

test('one visit counts for one question: who was cut off after it is not silent soon', async () => {
  const watching = new Watching();
  await watching.start();
  await watching.pass(firstAskMsMax);
  assert.equal(watching.watch.suspendsAsker('north'), false);
  watching.answers = 'not';
  await watching.pass(silentIntervals * everyMs);
  assert.deepEqual([results(watching), watching.alarms()], [['north passed'], []]);
  await watching.stop();
});

test('who was started anew while it put its questioners off fails, and who was started between two answers does not', async () => {
  const store = new MemoryStore();
  const device = await FakeDevice.make('north', vendor);
  const watching = new Watching(store);
  watching.device = device;
  watching.known = device.record;
  await watching.start();
  await watching.pass(firstAskMsMax);
  device.resets += 1;
  await watching.pass(2 * everyMs);
  assert.deepEqual(results(watching), ['north passed'], 'an update starts a box anew');
  watching.answers = 'busily';
  await watching.pass(2 * everyMs);
  assert.deepEqual(results(watching), ['north silent']);
  const time = watching.clock.now();
  await watching.stop();

  // Another firmware ran, and the good one is back for the answer; a restart of who asks forgets nothing of it.
  device.resets += 2;
  const later = new Watching(store);
  later.device = device;
  later.known = device.record;
  later.clock.advance(time - later.clock.now());
  await later.start();
  await later.pass(firstAskMsMax);
  assert.deepEqual([results(later), later.alarms()], [['north failed'], ['ATTESTATION_FAILED north']]);
  assert.equal(later.watch.list()[0]?.checks.find(({ passed }) => !passed)?.name, 'resets');
  assert.equal(later.watch.suspends('north'), true);
  await later.pass(2 * everyMs);
  assert.deepEqual(results(later), ['north passed'], 'it answers again when it is asked');
  await later.stop();
});

test('a box that takes the place of another has nothing of its standing', async () => {
  const watching = new Watching();
  await watching.start();
  await watching.pass(firstAskMsMax);
  assert.equal(watching.watch.suspends('north'), false);
  const other = await TpmVendor.make({ from: now - 1_000 });
  watching.known = (await FakeDevice.make('north', other)).record;
  watching.answers = 'not';
  assert.equal(watching.watch.suspends('north'), true, 'from the block on that replaces it');
  const { asked } = watching;
  await watching.pass(lookMsMax);
  assert.deepEqual([results(watching), watching.alarms()], [['north replaced'], []]);
  assert.ok(watching.asked > asked, 'it is asked at once');
  assert.equal(watching.watch.suspends('north'), true);
  watching.rule = { everyMs, suspends: false };
  assert.equal(watching.watch.suspends('north'), false, 'as the consortium says');
  watching.known = north.record;
  watching.answers = 'honestly';
  await watching.pass(2 * retryMsMax);
  assert.deepEqual(results(watching), ['north passed']);
  await watching.stop();
});

test('a box that names the TPM of the last one has nothing of its standing either', async () => {
  const watching = new Watching();
  await watching.start();
  await watching.pass(firstAskMsMax);
  const identity = (await FakeDevice.make('south', vendor)).record.keys.identity;
  watching.known = { ...north.record, keys: { ...north.record.keys, identity } };
  watching.answers = 'not';
  assert.equal(watching.watch.suspends('north'), true, 'from the block on that replaces it');
  const { asked } = watching;
  await watching.pass(lookMsMax);
  assert.deepEqual([results(watching), watching.alarms()], [['north replaced'], []]);
  assert.ok(watching.asked > asked, 'it is asked at once');
  await watching.stop();
});

test('restarts of who asks do not begin the silence anew, whether the member was ever heard or not', async () => {
  for (const heard of [true, false]) {
    const store = new MemoryStore();
    const first = new Watching(store);
    if (!heard) first.answers = 'not';
    await first.start();
    await first.pass(firstAskMsMax);
    await first.stop();
    let time = first.clock.now();
    for (let part = 0; part < silentIntervals * 2; part++) {
      const again = new Watching(store);
      again.clock.advance(time - again.clock.now());
      again.answers = 'not';
      await again.start();
      await again.pass(everyMs * 0.7);
      time = again.clock.now();
      await again.stop();
    }
    const last = new Watching(store);
    last.clock.advance(time - last.clock.now());
    await last.start();
    assert.deepEqual([results(last), last.alarms()], [['north silent'], ['ATTESTATION_MISSING north']]);
    assert.equal(last.watch.suspends('north'), true);
    await last.stop();
  }
});

test('who renewed its keys a block ago is asked once more before it is judged', async () => {
  const watching = new Watching();
  const other = { ...north.record, account: { ...north.record.account, view: bytesOf('an older view') } };
  watching.known = other;
  await watching.start();
  await until(() => watching.clock.sleeping === 1, 'the watch sleeps');
  while (watching.asked < 2) await watching.pass(30_000);
  assert.deepEqual([results(watching), watching.alarms()], [['north unknown'], []], 'not judged yet');
  watching.known = north.record;
  await watching.pass(30_000);
  assert.deepEqual([results(watching), watching.alarms(), watching.asked], [['north passed'], [], 4]);
  watching.known = other;
  await watching.pass(everyMs * 2);
  assert.deepEqual(results(watching), ['north failed'], 'a record that stays another fails');
  await watching.stop();
});

test('the TPM that a member has shown is another’s no more; one that it only names is anybody’s', async () => {
  const watching = new Watching();
  await watching.start();
  await watching.pass(firstAskMsMax);
  const key = readEndorsementKey(north.parts.endorsementKey);
  const endorsementKey = sha256(await subjectPublicKeyInfo(key));
  const device = { ...north.device, identity: north.record.keys.identity, endorsementKey };
  assert.deepEqual(watching.watch.provenTpms(), [{ institution: 'north', device, endorsementKey }]);
  await watching.stop();
  const later = new Watching(watching.store);
  await later.start();
  assert.deepEqual(later.watch.provenTpms(), watching.watch.provenTpms(), 'a restart forgets it not');
  later.answers = 'with a lie';
  await later.pass(2 * everyMs);
  assert.deepEqual([results(later), later.watch.provenTpms()], [['north failed'], []]);
  await later.stop();
});

test('nobody is silent for the time in which this box did not run', async () => {
  const watching = new Watching();
  await watching.start();
  await watching.pass(firstAskMsMax);
  await watching.stop();
  const later = new Watching(watching.store);
  later.clock.advance(100 * everyMs);
  await later.start();
  await later.pass(60_000);
  assert.deepEqual(later.alarms(), []);
  await later.stop();
});

test('who leaves is forgotten, who joins is asked', async () => {
  const watching = new Watching();
  watching.members = [];
  await watching.start();
  await watching.pass(60_000);
  assert.deepEqual(results(watching), []);
  watching.members = ['north'];
  watching.answers = 'with a lie';
  await watching.pass(firstAskMsMax + 60_000);
  assert.deepEqual(results(watching), ['north failed']);
  watching.members = [];
  await watching.pass(60_000);
  assert.deepEqual([results(watching), watching.alarms(), watching.store.values.size], [[], [], 0]);
  await watching.stop();
});

test('a damaged entry of the index is told, not taken', async () => {
  const store = new MemoryStore();
  await store.write([{ put: 'attestation/north', value: Uint8Array.of(0xa0) }]);
  await assert.rejects(new Standings(store).load(), { code: 'STORE_CORRUPT' });
});
