/** Orders of which the members must make another one, or which come to a box before it can take them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restartViewsMin } from '../../firmware/src/restart/limits.ts';
import { encodeMessage } from '../../firmware/src/validator/messages.ts';
import type { VoteRecord } from '../../firmware/src/validator/vote-records.ts';
import { decodeVoteRecord } from '../../firmware/src/validator/vote-records.ts';
import { Cluster } from '../fakes/cluster.ts';
import { signedOrder } from '../support/restart-orders.ts';
import { abstainingOf, forgetful, orderOf, signers, standstill } from '../support/standstill.ts';

/** West is started anew with this order. How often the order's file was removed. */
async function bring(cluster: Cluster, order: Uint8Array): Promise<() => number> {
  let discarded = 0;
  cluster.crash('west');
  await cluster.start('west', {
    restartOrder: order,
    discardRestartOrder: async () => void (discarded += await Promise.resolve(1)),
  });
  return () => discarded;
}

function refusalOf(cluster: Cluster, id: string): string | undefined {
  const alarms = cluster.box(id).health.list();
  return alarms.find(({ code }) => code === 'RESTART_REFUSED')?.detail;
}

/** All have taken an order that names too few: none of the others votes. */
async function takenInVain(cluster: Cluster) {
  await cluster.startAll();
  await cluster.time.pass(2000);
  const first = orderOf(cluster, { abstaining: [abstainingOf(cluster, 'north')] });
  await bring(cluster, signedOrder(first, signers));
  await cluster.time.pass(10_000);
  for (const id of cluster.ids) assert.ok(cluster.box(id).validator.consensus().view > first.floor, id);
  const abstaining = forgetful.map((id) => ({ institution: id, start: abstainingOf(cluster, id).start }));
  const again = abstaining.filter(({ institution }) => institution !== 'north');
  return { ...first, abstaining: again };
}

test('a second order with a floor far enough above the first is taken, and the ledger goes on', async (t) => {
  const cluster = await standstill(t);
  const first = await takenInVain(cluster);
  const floor = first.floor + restartViewsMin;
  const discarded = await bring(cluster, signedOrder({ ...first, floor }, signers));
  await cluster.time.pass(30_000);
  assert.equal(discarded(), 1);
  for (const id of cluster.ids) {
    assert.ok(cluster.box(id).validator.consensus().finalView > floor, id);
    assert.deepEqual(cluster.box(id).validator.misbehaviour(), [], id);
  }
});

for (const above of [0, 1, restartViewsMin - 1]) {
  test(`a second order with a floor ${above} above the first is refused aloud, and its file stays`, async (t) => {
    const cluster = await standstill(t);
    const first = await takenInVain(cluster);
    const order = signedOrder({ ...first, floor: first.floor + above }, signers);
    const discarded = await bring(cluster, order);
    for (const id of ['north', 'east', 'south'])
      cluster.hub.member(id)?.arrive('west', encodeMessage({ type: 'restart', order }));
    await cluster.time.pass(30_000);
    assert.match(refusalOf(cluster, 'west') ?? '', /floor-too-low/);
    assert.equal(discarded(), 0);
    // East and south would be named by it, and so vote again.
    for (const id of ['east', 'south'])
      assert.equal(cluster.box(id).validator.consensus().isVoting, false, id);
  });
}

test('an order that names another view of its block is refused, and the right one is taken', async (t) => {
  const cluster = await standstill(t);
  await cluster.startAll();
  await cluster.time.pass(2000);
  const right = orderOf(cluster);
  for (const wrongBy of [1, 2]) {
    const view = right.view + wrongBy;
    const wrong = { ...right, view, floor: view + restartViewsMin };
    for (const id of cluster.ids)
      cluster.hub
        .member(id)
        ?.arrive('west', encodeMessage({ type: 'restart', order: signedOrder(wrong, signers) }));
    await cluster.time.pass(5000);
    for (const id of cluster.ids) {
      assert.match(refusalOf(cluster, id) ?? '', /view/, id);
      assert.ok(cluster.box(id).validator.consensus().view < wrong.floor, id);
    }
  }
  await bring(cluster, signedOrder(right, signers));
  await cluster.time.pass(30_000);
  for (const id of cluster.ids) {
    assert.ok(cluster.box(id).validator.consensus().finalView > right.floor, id);
    assert.equal(refusalOf(cluster, id), undefined, id);
  }
});

test('an order brought to a box that is an epoch behind is taken when the box comes there', async (t) => {
  const cluster = new Cluster(undefined, { parameters: { epochMs: 60_000 } });
  t.after(() => cluster.stopAll());
  await cluster.startAll();
  await cluster.time.pass(20_000);
  cluster.crash('south');
  await cluster.time.pass(90_000);
  for (const id of cluster.ids) cluster.crash(id);
  for (const id of ['east', 'north']) cluster.disksOf(id).votes.records.length = 0;
  for (const id of ['east', 'north', 'west']) await cluster.start(id);
  await cluster.time.pass(2000);
  const abstaining = ['east', 'north'].map((id) => abstainingOf(cluster, id));
  const order = orderOf(cluster, { abstaining });
  assert.ok(order.epoch > 0);
  let discarded = 0;
  const south = await cluster.start('south', {
    restartOrder: signedOrder(order, signers),
    discardRestartOrder: async () => void (discarded += await Promise.resolve(1)),
  });
  assert.ok(south.validator.state().epoch().number < order.epoch);
  await cluster.time.pass(30_000);
  assert.equal(discarded, 1);
  for (const height of cluster.heights()) assert.ok(height > order.height);
});

test('a vote log that is begun anew when an order is taken keeps the floor of the order', async (t) => {
  const cluster = await standstill(t);
  for (const id of forgetful) await cluster.start(id);
  const { voteLog } = await cluster.start('west', { voteLogBytesMax: 1 });
  await cluster.time.pass(2000);
  const order = orderOf(cluster);
  const isFloor = (record: VoteRecord): boolean => record.type === 'floor' && record.view >= order.floor;
  let isWritten = false;
  let begunAnew = 0;
  const append = voteLog.append.bind(voteLog);
  voteLog.append = async (records) => {
    await append(records);
    if (records.map(decodeVoteRecord).some(isFloor)) isWritten = true;
  };
  const replace = voteLog.replace.bind(voteLog);
  voteLog.replace = async (records) => {
    if (isWritten) {
      assert.ok(records.map(decodeVoteRecord).some(isFloor), 'a power cut now would lose the floor');
      begunAnew++;
    }
    await replace(records);
  };
  for (const id of cluster.ids)
    cluster.hub
      .member(id)
      ?.arrive('east', encodeMessage({ type: 'restart', order: signedOrder(order, signers) }));
  await cluster.time.pass(10_000);
  assert.ok(isWritten && begunAnew > 0);
});

test('boxes that know only by memory that the order’s block is notarized write it down, and build on it', async (t) => {
  const cluster = new Cluster();
  t.after(() => cluster.stopAll());
  await cluster.startAll();
  await cluster.time.pass(15_000);
  const { height } = cluster.box('west').validator.head();
  for (const id of cluster.ids)
    cluster.onlyHears(
      id,
      (message) =>
        !(message.type === 'vote' && message.vote.kind === 'finalize') &&
        !(message.type === 'certificate' && message.certificate.kind === 'finalize'),
    );
  const isNotarized = (id: string): boolean => (cluster.box(id).validator.lastBlock().height ?? 0) > height;
  await cluster.time.pass(60_000, () => cluster.ids.every(isNotarized));
  // Nothing is under way any more to those who hear all after their start.
  await cluster.time.pass(500);
  // First three forget, and hear of it from the fourth; then that one forgets, and hears of it from them.
  const forget = async (ids: readonly string[]): Promise<void> => {
    for (const id of ids) {
      cluster.crash(id);
      cluster.disksOf(id).votes.records.length = 0;
    }
    for (const id of ids) await cluster.start(id);
    await cluster.time.pass(10_000);
  };
  await forget(forgetful);
  await forget(['west']);
  const { validator } = cluster.box('west');
  const last = validator.lastBlock();
  assert.ok(last.height !== undefined && last.height > validator.head().height, 'notarized and not final');
  const { chain } = validator.state();
  const floor = last.view + restartViewsMin;
  const abstaining = cluster.ids.map((id) => abstainingOf(cluster, id));
  abstaining.sort((a, b) => (a.institution < b.institution ? -1 : 1));
  const order = { chain, ...last, height: last.height, floor, abstaining };
  const isKept = (record: VoteRecord): boolean =>
    record.type === 'certificate' && record.certificate.view === order.view;
  // With the floor: a power cut after it must not leave the floor alone.
  const kept = new Map<string, boolean>();
  for (const id of cluster.ids) {
    const { voteLog } = cluster.box(id);
    const append = voteLog.append.bind(voteLog);
    voteLog.append = (encoded) => {
      const records = encoded.map(decodeVoteRecord);
      if (records.some(({ type }) => type === 'floor')) kept.set(id, records.some(isKept));
      return append(encoded);
    };
  }
  for (const id of cluster.ids)
    cluster.hub
      .member(id)
      ?.arrive('east', encodeMessage({ type: 'restart', order: signedOrder(order, signers) }));
  await cluster.time.pass(30_000);
  for (const id of cluster.ids) assert.equal(kept.get(id), true, id);
  for (const id of cluster.ids) {
    assert.ok(cluster.box(id).validator.consensus().finalView > floor, id);
    assert.deepEqual(cluster.box(id).validator.misbehaviour(), [], id);
  }
});
