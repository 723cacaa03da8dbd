/** A box that is behind, and peers that lie about how far they are, stall or are slow: each costs one answer. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { encodeTransaction } from '../../firmware/src/ledger/index.ts';
import { blockProtocol } from '../../firmware/src/validator/catch-up.ts';
import { catchingUp } from '../../firmware/src/validator/catch-up-status.ts';
import {
  decodeBlockAnswer,
  decodeBlockRequest,
  encodeBlockAnswer,
  encodeFinalRecord,
} from '../../firmware/src/validator/final-records.ts';
import {
  catchUpBlocksMax,
  catchUpRequestMs,
  catchUpRetryMs,
  heartbeatMs,
  lyingPeerMs,
  slowAnswerMs,
  retransmitMs,
} from '../../firmware/src/validator/limits.ts';
import { encodeMessage } from '../../firmware/src/validator/messages.ts';
import { Cluster } from '../fakes/cluster.ts';
import { signerOf } from '../fakes/ledger.ts';

const blocks = 40;
/** Records that a box here puts into one answer. */
const atOnce = 8;

/** Three of four have so many heartbeats; west has nothing and is about to begin. */
async function farBehind(t: TestContext, height = blocks): Promise<Cluster> {
  const cluster = new Cluster();
  for (const id of ['north', 'south', 'east']) await cluster.start(id);
  t.after(() => cluster.stopAll());
  await cluster.time.pass(height * (heartbeatMs + 50), () =>
    cluster.heights().every((reached) => reached >= height),
  );
  return cluster;
}

/** The same, and no answer brings it forward by more than some blocks. */
async function behind(t: TestContext): Promise<Cluster> {
  const cluster = await farBehind(t);
  for (const id of ['north', 'south', 'east']) answer(cluster, id, async (honest) => part(await honest()));
  return cluster;
}

function part(whole: Uint8Array, records = atOnce): Uint8Array {
  const answered = decodeBlockAnswer(whole);
  return encodeBlockAnswer(answered.first, answered.records.slice(0, records).map(encodeFinalRecord));
}

/** Says again and again that this box is at that height. */
function boast(cluster: Cluster, id: string, height: () => number): void {
  const message = (): Uint8Array =>
    encodeMessage({ type: 'standing', standing: { epoch: 0, finalView: 0, from: 1 }, height: height() });
  const say = (): void => {
    cluster.hub.member(id)?.send('west', message());
    cluster.time.events.after(300, say);
  };
  say();
}

/** Takes the place of what this box answers to requests by height. */
function answer(
  cluster: Cluster,
  id: string,
  by: (honest: () => Promise<Uint8Array>) => Promise<Uint8Array>,
): { asked: number } {
  const network = cluster.hub.member(id);
  const honest = network?.requestHandler(blockProtocol);
  assert.ok(network !== undefined && honest !== undefined);
  const others = network.requestHandler.bind(network);
  const count = { asked: 0 };
  network.requestHandler = (protocol: string) => {
    if (protocol !== blockProtocol) return others(protocol);
    return async (from, body, signal) => {
      if (!('from' in decodeBlockRequest(body))) return await honest(from, body, signal);
      count.asked++;
      return await by(() => honest(from, body, signal));
    };
  };
  return count;
}

function isLevel(cluster: Cluster): boolean {
  return cluster.box('west').validator.head().height >= cluster.box('south').validator.head().height;
}

test('CVE-2025-24371: a peer that lies about its height holds nobody up', async (t) => {
  const cluster = await behind(t);
  // A great height, then a lower one, then a greater: whatever it says, it has no such block.
  const heights = [1e9, 3, 2e9, 0, 4e15];
  let turn = 0;
  boast(cluster, 'north', () => heights[turn++ % heights.length] ?? 0);
  const liar = answer(cluster, 'north', () => Promise.resolve(encodeBlockAnswer(0, [])));
  const { validator } = await cluster.start('west');
  const begun = cluster.time.now;
  await cluster.time.pass(10_000, () => isLevel(cluster));
  assert.ok(isLevel(cluster));
  assert.ok(cluster.time.now - begun < 3000, `${cluster.time.now - begun} ms`);
  await cluster.time.pass(lyingPeerMs / 2);
  assert.ok(liar.asked <= 2, `${liar.asked} requests`);
  // It takes part: without it and one more nothing would become final.
  assert.equal(validator.consensus().isVoting, true);
  cluster.crash('south');
  const { height } = validator.head();
  await cluster.time.pass(3 * heartbeatMs);
  assert.ok(validator.head().height > height);
});

test('a height that one claims alone is not shown as the goal', async (t) => {
  const cluster = await behind(t);
  const goals: number[] = [];
  boast(cluster, 'north', () => 1e9);
  for (const id of ['south', 'east']) boast(cluster, id, () => cluster.box(id).validator.head().height);
  const { height } = cluster.box('south').validator.head();
  const { validator } = await cluster.start('west');
  await cluster.time.pass(10_000, () => {
    const { catchingUp: progress } = validator.consensus();
    if (progress !== undefined) {
      assert.equal(progress.by, 'blocks');
      assert.ok(progress.done <= progress.of);
      goals.push(progress.of);
    }
    return isLevel(cluster);
  });
  assert.ok(isLevel(cluster));
  assert.ok(goals.includes(height), `shown before it is there: ${goals.join(' ')}`);
  assert.ok(Math.max(...goals) < 1e9);
  // Who claimed more is asked for it, and found out.
  await cluster.time.pass(2000);
  assert.equal(validator.consensus().catchingUp, undefined);
});

test('a peer that never answers holds nobody up for long, and is not asked again for a minute', async (t) => {
  const cluster = await behind(t);
  boast(cluster, 'north', () => 1e9);
  const staller = answer(cluster, 'north', () => new Promise(() => undefined));
  await cluster.start('west');
  const begun = cluster.time.now;
  await cluster.time.pass(catchUpRequestMs + 2000, () => isLevel(cluster));
  assert.ok(isLevel(cluster));
  // Another peer is asked beside it.
  assert.ok(cluster.time.now - begun < slowAnswerMs + 2000, `${cluster.time.now - begun} ms`);
  await cluster.time.pass(lyingPeerMs / 2);
  assert.equal(staller.asked, 1);
  assert.ok(isLevel(cluster));
});

test('a peer that answers once and then falls silent holds nobody up for long', async (t) => {
  const cluster = await behind(t);
  boast(cluster, 'north', () => cluster.box('south').validator.head().height + 1);
  let answered = 0;
  answer(cluster, 'north', async (honest) =>
    answered++ === 0 ? part(await honest()) : await new Promise<never>(() => undefined),
  );
  await cluster.start('west');
  const begun = cluster.time.now;
  await cluster.time.pass(catchUpRequestMs + 2000, () => isLevel(cluster));
  assert.ok(isLevel(cluster));
  assert.ok(answered > 1);
  assert.ok(cluster.time.now - begun < slowAnswerMs + 2000, `${cluster.time.now - begun} ms`);
});

test('a peer that never answers holds nobody up who connects with the others later', async (t) => {
  const cluster = await behind(t);
  answer(cluster, 'north', () => new Promise(() => undefined));
  await cluster.start('west');
  for (const id of ['south', 'east']) cluster.hub.setConnected('west', id, false);
  await cluster.time.pass(1000);
  for (const id of ['south', 'east']) cluster.hub.setConnected('west', id, true);
  const begun = cluster.time.now;
  await cluster.time.pass(catchUpRequestMs + 2000, () => isLevel(cluster));
  assert.ok(isLevel(cluster));
  assert.ok(cluster.time.now - begun < slowAnswerMs + 2000, `${cluster.time.now - begun} ms`);
});

test('a peer that alone says to have dropped the next block raises no alarm, and costs little', async (t) => {
  const cluster = await behind(t);
  const { health } = await cluster.start('west');
  await cluster.time.pass(10_000, () => isLevel(cluster));
  boast(cluster, 'north', () => 1e6);
  const liar = answer(cluster, 'north', () => Promise.resolve(encodeBlockAnswer(5000, [])));
  const asked = answer(cluster, 'east', (honest) => honest());
  await cluster.time.pass(lyingPeerMs / 2);
  // Twice where a block became final meanwhile.
  assert.ok(liar.asked <= 2, `${liar.asked} requests`);
  assert.ok(asked.asked <= 2, `${asked.asked} requests`);
  assert.deepEqual(
    health.list().filter(({ code }) => code === 'CATCH_UP_STUCK'),
    [],
  );
});

test('a peer that has dropped the next block is no liar while no other has spoken', async (t) => {
  const cluster = await behind(t);
  for (const id of ['south', 'east']) cluster.crash(id);
  const asked = answer(cluster, 'north', () => Promise.resolve(encodeBlockAnswer(blocks / 2, [])));
  const { health } = await cluster.start('west');
  await cluster.time.pass(lyingPeerMs / 2);
  // Its snapshot may be the only way: it is asked again as soon as anybody would be.
  assert.ok(asked.asked > 2, `${asked.asked} requests`);
  assert.ok(asked.asked <= lyingPeerMs / 2 / catchUpRetryMs + 2, `${asked.asked} requests`);
  assert.deepEqual(
    health.list().filter(({ code }) => code === 'CATCH_UP_STUCK'),
    [],
  );
});

test('the alarm of a box that cannot catch up ends when its ledger goes on', async (t) => {
  const cluster = await behind(t);
  const { health, validator } = await cluster.start('west');
  await cluster.time.pass(10_000, () => isLevel(cluster));
  const { height } = validator.head();
  let claimed = 1e6;
  // One of two must be as it should be.
  for (const id of ['north', 'east']) {
    boast(cluster, id, () => claimed);
    answer(cluster, id, () => Promise.resolve(encodeBlockAnswer(5000, [])));
  }
  const isRaised = (): boolean => health.list().some(({ code }) => code === 'CATCH_UP_STUCK');
  await cluster.time.pass(5000, isRaised);
  assert.ok(isRaised());
  claimed = 0;
  await cluster.time.pass(lyingPeerMs / 2, () => validator.head().height > height + 1);
  await cluster.time.pass(2 * retransmitMs);
  assert.ok(!isRaised());
});

test('a slow peer is left after one answer, and the others do the rest', async (t) => {
  const cluster = await behind(t);
  boast(cluster, 'north', () => cluster.box('south').validator.head().height + 1);
  const slow = answer(cluster, 'north', async (honest) => {
    const whole = await honest();
    return await new Promise((resolve) => cluster.time.events.after(20_000, () => resolve(whole)));
  });
  await cluster.start('west');
  await cluster.time.pass(25_000, () => isLevel(cluster));
  assert.ok(isLevel(cluster));
  assert.equal(slow.asked, 1);
});

test('a peer that gives a block at a time though it has more is asked last from then on', async (t) => {
  const cluster = await farBehind(t);
  boast(cluster, 'north', () => 1_000_000);
  const north = answer(cluster, 'north', async (honest) => part(await honest(), 1));
  await cluster.start('west');
  await cluster.time.pass(slowAnswerMs, () => isLevel(cluster));
  assert.ok(isLevel(cluster), `west is at ${cluster.box('west').validator.head().height}`);
  assert.ok(north.asked <= 3, `it was asked ${north.asked} times`);
});

test('a peer that gives as much as an answer may have is not asked last', async (t) => {
  const cluster = await farBehind(t, 3 * catchUpBlocksMax);
  boast(cluster, 'north', () => 1_000_000);
  const little = answer(cluster, 'north', async (honest) => part(await honest(), 1));
  await cluster.start('west');
  await cluster.time.pass(slowAnswerMs, () => isLevel(cluster));
  assert.ok(isLevel(cluster), `west is at ${cluster.box('west').validator.head().height}`);
  assert.ok(little.asked <= 2, `north was asked ${little.asked} times`);
});

test('a leader that learns from a peer that its own block is final does not propose it again', async (t) => {
  const cluster = new Cluster();
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  // South leads the first view, and never hears that the others voted for its block.
  cluster.onlyHears('south', ({ type }) => type === 'standing');
  const { validator, blockLog } = cluster.box('south');
  const { transaction } = cluster.fixture.register('south', 'behind', [signerOf('behind')]);
  const submitted = validator.submit(encodeTransaction(transaction));
  // While its disk is slow with the block that it has fetched, the box comes to say again what it has said.
  const append = blockLog.append.bind(blockLog);
  let appended = 0;
  blockLog.append = async (records) => {
    appended++;
    await cluster.time.clock().sleep(2 * retransmitMs);
    await append(records);
  };
  await cluster.time.pass(10 * retransmitMs, () => validator.head().height > 0);
  assert.equal(appended, 1);
  assert.equal((await submitted).kind, 'final');
  // It runs on, and follows.
  await cluster.time.pass(2 * heartbeatMs, () => validator.head().height > 2);
  assert.ok(validator.head().height > 2);
  assert.equal(validator.consensus().isVoting, true);
});

test('progress: k of n, how quickly and how long, a snapshot before blocks', () => {
  const blocksFrom = { from: 100, height: 300, target: 1100, since: 1000 };
  assert.deepEqual(catchingUp(5000, blocksFrom, undefined), {
    by: 'blocks',
    done: 300,
    of: 1100,
    perSecond: 50,
    secondsLeft: 16,
  });
  assert.deepEqual(catchingUp(2000, blocksFrom, { from: 4, records: 4, of: 10, since: 1000 }), {
    by: 'snapshot',
    done: 4,
    of: 10,
    perSecond: 0,
    secondsLeft: undefined,
  });
  assert.equal(catchingUp(2000, undefined, undefined), undefined);
});
