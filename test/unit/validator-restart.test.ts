/** More than f boxes have forgotten how they voted: the ledger stands still until a quorum of offline roots decides. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { encodeTransaction } from '../../firmware/src/ledger/index.ts';
import { restartViewsMin } from '../../firmware/src/restart/limits.ts';
import type { RestartOrder } from '../../firmware/src/restart/restart-order.ts';
import { Cluster } from '../fakes/cluster.ts';
import { signerOf } from '../fakes/ledger.ts';
import { signedOrder } from '../support/restart-orders.ts';

const forgetful = ['east', 'north', 'south'];

/** Four boxes at the same height, off; the first three without their vote logs. */
async function standstill(t: TestContext): Promise<Cluster> {
  const cluster = new Cluster();
  t.after(() => cluster.stopAll());
  await cluster.startAll();
  await cluster.time.pass(35_000);
  assert.equal(new Set(cluster.heights()).size, 1);
  for (const id of cluster.ids) cluster.crash(id);
  for (const id of forgetful) cluster.disksOf(id).votes.records.length = 0;
  return cluster;
}

function orderOf(cluster: Cluster, change: Partial<RestartOrder> = {}): RestartOrder {
  const { validator } = cluster.box('west');
  const { block } = validator.evidence();
  const { height, digest } = validator.head();
  const { epoch, view } = block.header;
  const floor = view + restartViewsMin;
  const { chain } = validator.state();
  return { chain, epoch, height, digest, view, floor, abstaining: forgetful, ...change };
}

function submit(cluster: Cluster, id: string, study: string) {
  const { transaction } = cluster.fixture.register(id, study, [signerOf(study)]);
  return cluster.box(id).validator.submit(encodeTransaction(transaction));
}

test('without an order it stands still; with one, brought to one box, all go on and vote', async (t) => {
  const cluster = await standstill(t);
  await cluster.startAll();
  const submitted = submit(cluster, 'west', 'one');
  const before = cluster.heights();
  await cluster.time.pass(60_000);
  assert.deepEqual(cluster.heights(), before);
  const order = orderOf(cluster);
  cluster.crash('west');
  submitted.catch((error: unknown) => assert.ok(error instanceof Error));
  await cluster.start('west', { restartOrder: signedOrder(order, ['north', 'south', 'west']) });
  const again = submit(cluster, 'west', 'one');
  await cluster.time.pass(20_000);
  assert.equal((await again).kind, 'final');
  for (const id of cluster.ids) {
    const { validator } = cluster.box(id);
    assert.equal(validator.consensus().isVoting, true, id);
    assert.ok(validator.consensus().finalView > order.floor, id);
    assert.deepEqual(validator.misbehaviour(), [], id);
    // Who has forgotten names a key that no copy of it has.
    const { version } = validator.state().institution(id) ?? {};
    assert.equal(version, forgetful.includes(id) ? 2 : 1, id);
  }
  assert.equal(new Set(cluster.heights()).size, 1);
});

test('an order that was taken holds after a crash, and a box that comes later learns it from the others', async (t) => {
  const cluster = await standstill(t);
  for (const id of ['north', 'west']) await cluster.start(id);
  await cluster.time.pass(2000);
  const order = orderOf(cluster);
  cluster.crash('west');
  await cluster.start('west', { restartOrder: signedOrder(order, ['north', 'south', 'west']) });
  await cluster.time.pass(5000);
  for (const id of ['north', 'west']) {
    assert.equal(cluster.box(id).validator.consensus().view > order.floor, true, id);
    cluster.crash(id);
  }
  for (const id of ['north', 'west', 'east']) await cluster.start(id);
  await cluster.time.pass(30_000);
  for (const id of ['north', 'west', 'east'])
    assert.ok(cluster.box(id).validator.consensus().finalView > order.floor, id);
});

test('a box that has forgotten and is not named does not vote by the order', async (t) => {
  const cluster = await standstill(t);
  for (const id of ['north', 'west']) await cluster.start(id);
  await cluster.time.pass(2000);
  const bytes = signedOrder(orderOf(cluster, { abstaining: ['north', 'south'] }), ['north', 'south', 'west']);
  const east = await cluster.start('east', { restartOrder: bytes });
  await cluster.time.pass(30_000);
  assert.equal(east.validator.consensus().isVoting, false);
  assert.equal(new Set(cluster.heights()).size, 1);
  await cluster.start('south');
  await cluster.time.pass(30_000);
  // Now there is a quorum, and its fresh key becomes final.
  assert.equal(east.validator.consensus().isVoting, true);
});

test('a box at which more is final takes no order that leads behind it, and says so', async (t) => {
  const cluster = await standstill(t);
  const west = await cluster.start('west');
  const { block } = west.validator.evidence();
  const order = orderOf(cluster, { height: block.header.height - 1, digest: block.header.parent });
  cluster.crash('west');
  const { validator, health } = await cluster.start('west', {
    restartOrder: signedOrder(order, ['north', 'south', 'west']),
  });
  await cluster.time.pass(2000);
  assert.ok(health.list().some(({ code }) => code === 'RESTART_REFUSED'));
  assert.ok(validator.consensus().view < order.floor);
});

test('a wrong order of the administrator stops the start with its reason; one of a peer changes nothing', async (t) => {
  const cluster = await standstill(t);
  await cluster.startAll();
  await cluster.time.pass(2000);
  const bytes = signedOrder(orderOf(cluster), ['north', 'south']);
  const { encodeMessage } = await import('../../firmware/src/validator/messages.ts');
  for (const id of ['north', 'west'])
    cluster.hub.member(id)?.arrive('south', encodeMessage({ type: 'restart', order: bytes }));
  await cluster.time.pass(5000);
  assert.ok(cluster.box('west').validator.consensus().view < restartViewsMin);
  cluster.crash('west');
  await assert.rejects(cluster.start('west', { restartOrder: bytes }), { code: 'RESTART_INVALID' });
});
