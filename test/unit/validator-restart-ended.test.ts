/** Orders that were not needed after all, or that another one follows: the boxes that have taken them part from them. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { viewsAheadMax } from '../../firmware/src/consensus/limits.ts';
import { leaderOf } from '../../firmware/src/consensus/types.ts';
import { encodeTransaction } from '../../firmware/src/ledger/index.ts';
import { restartViewsMin } from '../../firmware/src/restart/limits.ts';
import type { RestartOrder } from '../../firmware/src/restart/restart-order.ts';
import { standingFreshMs } from '../../firmware/src/validator/limits.ts';
import { encodeMessage } from '../../firmware/src/validator/messages.ts';
import type { VoteRecord } from '../../firmware/src/validator/vote-records.ts';
import { decodeVoteRecord } from '../../firmware/src/validator/vote-records.ts';
import { Cluster } from '../fakes/cluster.ts';
import { signerOf } from '../fakes/ledger.ts';
import { MemoryStateStore } from '../fakes/state-store.ts';
import { signedOrder } from '../support/restart-orders.ts';
import { abstainingOf, forgetful, orderOf, say, signers, standstill } from '../support/standstill.ts';

/** Whether this box has the alarm, and what it says. */
function alarm(cluster: Cluster, id: string): string | undefined {
  return cluster
    .box(id)
    .health.list()
    .find(({ code }) => code === 'RESTART_REFUSED')?.detail;
}

/** A place after the order's block, in a view that the order takes out. */
const past = ({ epoch, view }: RestartOrder) => ({ epoch, view: view + 1 });

for (const bringer of ['administrator', 'peer']) {
  test(`the ledger went on while a box was off, and an order by its ${bringer} does not hold it up`, async (t) => {
    const cluster = new Cluster(undefined, { parameters: { epochMs: 180_000 } });
    t.after(() => cluster.stopAll());
    await cluster.startAll();
    await cluster.time.pass(35_000);
    const abstaining = ['east', 'north'].map((institution) => ({ institution, start: 8 }));
    const order = signedOrder(orderOf(cluster, { abstaining }), signers);
    const { epoch } = cluster.box('south').validator.evidence().block.header;
    cluster.crash('south');
    await cluster.time.pass(60_000);
    await cluster.start('south', bringer === 'administrator' ? { restartOrder: order } : {});
    if (bringer === 'peer')
      cluster.hub.member('south')?.arrive('west', encodeMessage({ type: 'restart', order }));
    await cluster.time.pass(30_000);
    assert.equal(new Set(cluster.heights()).size, 1);
    assert.match(alarm(cluster, 'south') ?? '', /other or later final blocks/);
    const isVoting = (): boolean => cluster.box('south').validator.consensus().isVoting;
    assert.equal(isVoting(), true, 'it has not taken the order');
    cluster.crash('south');
    await cluster.start('south');
    await cluster.time.pass(10_000);
    assert.equal(new Set(cluster.heights()).size, 1, 'after a start too');
    await cluster.time.pass(120_000);
    assert.ok(cluster.box('south').validator.state().epoch().number > epoch);
    assert.deepEqual([isVoting(), alarm(cluster, 'south')], [true, undefined]);
    for (const id of cluster.ids) assert.deepEqual(cluster.box(id).validator.misbehaviour(), [], id);
  });
}

test('the ledger went on while a box was cut off, and an order that was not needed does not hold it up', async (t) => {
  const cluster = new Cluster(undefined, { parameters: { epochMs: 180_000 } });
  t.after(() => cluster.stopAll());
  await cluster.startAll();
  await cluster.time.pass(35_000);
  const abstaining = ['east', 'north'].map((institution) => ({ institution, start: 8 }));
  const order = orderOf(cluster, { abstaining });
  // It stands at the order's block, and has heard of all others that they do.
  const others = cluster.ids.filter((id) => id !== 'south');
  for (const id of others) cluster.hub.setConnected('south', id, false);
  await cluster.time.pass(400_000);
  cluster.hub.setConnected('south', 'west', true);
  const brought = encodeMessage({ type: 'restart', order: signedOrder(order, signers) });
  cluster.hub.member('south')?.arrive('west', brought);
  await cluster.time.pass(1);
  assert.ok(cluster.box('south').validator.consensus().view < order.floor, 'it has not taken the order');
  for (const id of others) cluster.hub.setConnected('south', id, true);
  await cluster.time.pass(120_000);
  assert.equal(new Set(cluster.heights()).size, 1);
  assert.equal(cluster.box('south').validator.consensus().isVoting, true);
});

test('boxes that took an order take the next one, which goes on from a final block that the first had left out', async (t) => {
  const cluster = new Cluster();
  t.after(() => cluster.stopAll());
  await cluster.startAll();
  await cluster.time.pass(35_000);
  const { validator } = cluster.box('west');
  const { block } = validator.evidence();
  const { height, digest } = validator.head();
  const { epoch, view, parent, parentView } = block.header;
  const { chain } = validator.state();
  for (const id of cluster.ids) cluster.crash(id);
  // West alone has written the newest final block; the others have forgotten how they voted.
  for (const id of forgetful) {
    const disks = cluster.disksOf(id);
    disks.votes.records.length = 0;
    disks.blocks.records.pop();
    Object.assign(disks, { state: new MemoryStateStore() });
    await cluster.start(id);
  }
  await cluster.time.pass(2000);
  const east = abstainingOf(cluster, 'east');
  const first = {
    chain,
    epoch,
    height: height - 1,
    digest: parent,
    view: parentView,
    floor: parentView + restartViewsMin,
    // East is named with another start: too few vote by this order.
    abstaining: [
      { ...east, start: east.start + 1 },
      ...['north', 'south'].map((id) => abstainingOf(cluster, id)),
    ],
  };
  cluster.crash('north');
  await cluster.start('north', { restartOrder: signedOrder(first, signers) });
  await cluster.time.pass(20_000);
  for (const id of forgetful) assert.ok(cluster.box(id).validator.consensus().view > first.floor, id);
  await cluster.start('west');
  await cluster.time.pass(2000);
  assert.match(alarm(cluster, 'west') ?? '', /other or later final blocks/);
  const reached = Math.max(...cluster.ids.map((id) => cluster.box(id).validator.consensus().view));
  const floor = reached + restartViewsMin;
  const second = {
    ...{ chain, epoch, height, digest, view, floor },
    abstaining: [abstainingOf(cluster, 'east')],
  };
  cluster.crash('west');
  await cluster.start('west', { restartOrder: signedOrder(second, signers) });
  await cluster.time.pass(60_000);
  for (const id of cluster.ids) {
    assert.ok(cluster.box(id).validator.consensus().finalView > floor, id);
    assert.equal(alarm(cluster, id), undefined, id);
    assert.deepEqual(cluster.box(id).validator.misbehaviour(), [], id);
  }
});

test('a second order whose block nobody has says so, and a third one leads on', async (t) => {
  const cluster = await standstill(t);
  await cluster.startAll();
  await cluster.time.pass(2000);
  const first = orderOf(cluster, { abstaining: [abstainingOf(cluster, 'north')] });
  const bring = async (order: typeof first): Promise<void> => {
    cluster.crash('west');
    await cluster.start('west', { restartOrder: signedOrder(order, signers) });
    await cluster.time.pass(20_000);
  };
  await bring(first);
  const abstaining = ['east', 'south'].map((id) => abstainingOf(cluster, id));
  const second = {
    ...first,
    abstaining,
    height: first.height + 1,
    view: first.view + 2,
    digest: new Uint8Array(32).fill(7),
    floor: first.floor + restartViewsMin,
  };
  await bring(second);
  assert.match(alarm(cluster, 'west') ?? '', /does not have yet/);
  const third = { ...first, abstaining, floor: second.floor + restartViewsMin };
  await bring(third);
  for (const id of cluster.ids) {
    assert.ok(cluster.box(id).validator.consensus().finalView > third.floor, id);
    assert.equal(alarm(cluster, id), undefined, id);
  }
});

test('boxes that have forgotten name fresh keys also where the standstill outlasted their first attempts', async (t) => {
  const cluster = await standstill(t);
  await cluster.startAll();
  await cluster.time.pass(20 * 60_000);
  const order = orderOf(cluster);
  cluster.crash('west');
  await cluster.start('west', { restartOrder: signedOrder(order, signers) });
  // One of them stops before anything is final above the floor.
  await cluster.time.pass(60_000, () => cluster.box('east').validator.consensus().view > order.floor);
  cluster.crash('east');
  await cluster.time.pass(5000);
  await cluster.start('east');
  await cluster.time.pass(3 * 60_000);
  for (const id of cluster.ids) {
    const { validator } = cluster.box(id);
    assert.ok(validator.consensus().finalView > order.floor, id);
    assert.equal(validator.state().institution(id)?.version, forgetful.includes(id) ? 2 : 1, id);
  }
  assert.equal(await cluster.disksOf('east').handovers.get('restart-key'), undefined);
});

test('one liar does not make a box part from an order', async (t) => {
  const cluster = await standstill(t);
  for (const id of ['north', 'west']) await cluster.start(id);
  await cluster.time.pass(2000);
  const order = orderOf(cluster);
  cluster.crash('west');
  await cluster.start('west', { restartOrder: signedOrder(order, signers) });
  for (const id of ['north', 'west']) {
    say(cluster, order, ['south'], id);
    say(cluster, order, ['east'], id, past(order));
  }
  await cluster.time.pass(2000);
  await cluster.start('south');
  await cluster.time.pass(20_000);
  for (const id of ['north', 'south', 'west']) {
    const { finalView, isVoting } = cluster.box(id).validator.consensus();
    assert.ok(finalView > order.floor && isVoting, id);
    assert.equal(alarm(cluster, id), undefined, id);
  }
});

for (const hasVoted of [false, true]) {
  test(`a box that has ${hasVoted ? '' : 'not '}voted for a block above the floor ${hasVoted ? 'stays with' : 'parts from'} the order`, async (t) => {
    const cluster = await standstill(t);
    await cluster.start('west');
    const order = orderOf(cluster);
    cluster.crash('west');
    const leader = cluster.ids[leaderOf(order.epoch, order.floor + 1, cluster.ids.length)] ?? '';
    const box = hasVoted ? leader : (cluster.ids.find((id) => id !== leader) ?? '');
    const { validator, voteLog } = await cluster.start(box, { restartOrder: signedOrder(order, signers) });
    say(cluster, order, cluster.ids, box);
    const { transaction } = cluster.fixture.register(box, 'one', [signerOf('one')]);
    validator
      .submit(encodeTransaction(transaction))
      .catch((error: unknown) => assert.ok(error instanceof Error));
    await cluster.time.pass(30_000);
    const records: VoteRecord[] = [];
    for await (const record of voteLog.read()) records.push(decodeVoteRecord(new Uint8Array(record)));
    const above = records.flatMap((record) =>
      record.type === 'vote' && record.vote.view > order.floor ? record.vote.kind : [],
    );
    assert.equal(above.includes('notarize'), hasVoted);
    assert.ok(above.length > 0, 'it has given up the view, at least');
    say(cluster, order, cluster.ids, box, past(order));
    await cluster.time.pass(3000);
    assert.equal(alarm(cluster, box) === undefined, hasVoted);
    const { finalView, view } = validator.consensus();
    assert.equal(
      view > order.floor,
      hasVoted,
      'who parts is among the others again, with as many open views as they',
    );
    assert.ok(hasVoted || view <= finalView + viewsAheadMax);
  });
}

/** One box, which does not lead the view after the floor and has been brought the order, before anybody has spoken. */
async function alone(t: TestContext) {
  const cluster = await standstill(t);
  await cluster.start('west');
  const order = orderOf(cluster);
  cluster.crash('west');
  const leader = cluster.ids[leaderOf(order.epoch, order.floor + 1, cluster.ids.length)] ?? '';
  const box = cluster.ids.find((id) => id !== leader) ?? '';
  const { validator } = await cluster.start(box, { restartOrder: signedOrder(order, signers) });
  const others = cluster.ids.filter((id) => id !== box);
  return { cluster, order, box, others, isTaken: () => validator.consensus().view > order.floor };
}

test('an order is taken when a quorum says that it stands no further, and waits aloud for that', async (t) => {
  const { cluster, order, box, others, isTaken } = await alone(t);
  const [first = '', second = '', third = ''] = others;
  await cluster.time.pass(standingFreshMs / 2);
  assert.equal(alarm(cluster, box), undefined);
  const speak = async (): Promise<void> => {
    say(cluster, order, [first], box);
    say(cluster, order, [second, third], box, past(order));
    await cluster.time.pass(1000);
  };
  for (let spoken = 0; spoken < 6; spoken++) await speak();
  assert.ok(!isTaken(), 'one of the others is no quorum with this box');
  assert.match(alarm(cluster, box) ?? '', /waits at block \d+: fewer than 3 validators/);
  say(cluster, order, [first, second], box);
  await cluster.time.pass(1000);
  assert.ok(isTaken());
  assert.equal(alarm(cluster, box), undefined);
});

test('nobody is told of an order that a peer has brought and that waits', async (t) => {
  const cluster = await standstill(t);
  const { validator } = await cluster.start('west');
  const order = orderOf(cluster);
  const brought = encodeMessage({ type: 'restart', order: signedOrder(order, signers) });
  cluster.hub.member('west')?.arrive('north', brought);
  await cluster.time.pass(3 * standingFreshMs);
  assert.equal(alarm(cluster, 'west'), undefined);
  assert.ok(validator.consensus().view < order.floor);
});

for (const [name, placeAfter] of [
  ['in a later epoch may have come there', ({ epoch }: RestartOrder) => ({ epoch: epoch + 1, view: 2 })],
  ['above the floor have come there', ({ epoch, floor }: RestartOrder) => ({ epoch, view: floor + 2 })],
] as const) {
  test(`others ${name} by the order: a box does not part from it for them`, async (t) => {
    const { cluster, order, box, others, isTaken } = await alone(t);
    say(cluster, order, others, box);
    await cluster.time.pass(3000);
    assert.ok(isTaken());
    say(cluster, order, others, box, placeAfter(order));
    await cluster.time.pass(3000);
    assert.equal(alarm(cluster, box), undefined);
  });
}
