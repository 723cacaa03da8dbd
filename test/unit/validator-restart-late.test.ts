/** A box that was away while the others went on by a restart order, and has a final block that the order leaves out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restartViewsMin } from '../../firmware/src/restart/limits.ts';
import { Cluster } from '../fakes/cluster.ts';
import { signedOrder } from '../support/restart-orders.ts';
import { copyOf, say } from '../support/standstill.ts';

test('a final block that an order leaves out is taken of nobody, and the others go on without it', async (t) => {
  const cluster = new Cluster();
  t.after(() => cluster.stopAll());
  await cluster.startAll();
  await cluster.time.pass(35_000);
  cluster.crash('north');
  const { height } = cluster.box('west').validator.head();
  const { block } = cluster.box('west').validator.evidence();
  const { digest } = cluster.box('west').validator.head();
  const setBack = copyOf(cluster.disksOf('west'));
  await cluster.time.pass(60_000, () => cluster.box('west').validator.head().height > height);
  const lost = cluster.box('west').validator.head();
  for (const id of cluster.ids) cluster.crash(id);
  for (const id of ['east', 'south']) setBack(cluster.disksOf(id));
  const north = await cluster.start('north');
  assert.equal(north.validator.head().height, height);
  const abstaining = ['east', 'south'].map((institution) => ({
    institution,
    start: cluster.disksOf(institution).starts.count + 1,
  }));
  const { epoch, view } = block.header;
  const floor = view + restartViewsMin;
  const { chain } = north.validator.state();
  const order = { chain, epoch, height, digest, view, floor, abstaining };
  cluster.crash('north');
  await cluster.start('north', { restartOrder: signedOrder(order, ['north', 'east', 'south']) });
  say(cluster, order, ['east', 'south'], 'north');
  await cluster.time.pass(2000);
  await cluster.start('west');
  await cluster.time.pass(5000);
  const { validator } = cluster.box('north');
  assert.equal(validator.head().height, height);
  assert.ok(validator.consensus().view > floor);
  for (const id of ['east', 'south']) await cluster.start(id);
  await cluster.time.pass(60_000);
  const voters = ['north', 'east', 'south'];
  const others = voters.map((id) => cluster.box(id).validator);
  for (const [index, other] of others.entries()) {
    assert.ok(other.consensus().finalView > floor, voters[index]);
    assert.deepEqual(other.misbehaviour(), [], voters[index]);
  }
  for (const id of voters) {
    const taken = cluster.box(id).final.find((final) => final.block.header.height === lost.height);
    assert.ok(taken !== undefined && taken.block.header.view > floor, id);
  }
  // It cannot go on with them, and says so.
  assert.equal(cluster.box('west').validator.head().height, lost.height);
  assert.ok(
    cluster
      .box('west')
      .health.list()
      .some(({ code }) => code === 'RESTART_REFUSED'),
  );
});
