/** A second order that nobody carries out, in the hands of a liar: it frees no box from the first one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leaderOf } from '../../firmware/src/consensus/types.ts';
import { restartViewsMin } from '../../firmware/src/restart/limits.ts';
import { blockProtocol } from '../../firmware/src/validator/catch-up.ts';
import { encodeBlockAnswer, encodeFinalRecord } from '../../firmware/src/validator/final-records.ts';
import { encodeMessage } from '../../firmware/src/validator/messages.ts';
import { Cluster } from '../fakes/cluster.ts';
import { signedOrder } from '../support/restart-orders.ts';
import { copyOf, signers } from '../support/standstill.ts';

/** The first view after this one whose next view is led by none of these. */
function floorWithout(cluster: Cluster, epoch: number, from: number, ids: readonly string[]): number {
  let floor = from;
  while (ids.includes(cluster.ids[leaderOf(epoch, floor + 1, cluster.ids.length)] ?? '')) floor++;
  return floor;
}

test('a second order that was not needed gives no box a second final block', async (t) => {
  const cluster = new Cluster(undefined, { parameters: { epochMs: 86_400_000 } });
  t.after(() => cluster.stopAll());
  await cluster.startAll();
  await cluster.time.pass(35_000);
  cluster.crash('north');
  const { height, digest } = cluster.box('west').validator.head();
  const { block } = cluster.box('west').validator.evidence();
  const setBack = copyOf(cluster.disksOf('west'));
  await cluster.time.pass(60_000, () => cluster.box('west').validator.head().height > height);
  const lost = cluster.box('west').validator.evidence();
  assert.equal(lost.block.header.height, height + 1);
  // A block was final; east and south have lost it, and west says so too, and keeps it back.
  const forgot = ['east', 'south', 'west'];
  for (const id of cluster.ids) cluster.crash(id);
  for (const id of forgot) setBack(cluster.disksOf(id));
  const north = await cluster.start('north');
  const { epoch, view } = block.header;
  const floor = floorWithout(cluster, epoch, view + restartViewsMin, ['north', 'south']);
  const abstaining = forgot.map((institution) => {
    return { institution, start: cluster.disksOf(institution).starts.count + 1 };
  });
  const { chain } = north.validator.state();
  const order = { chain, epoch, height, digest, view, floor, abstaining };
  cluster.crash('north');
  await cluster.start('north', { restartOrder: signedOrder(order, signers) });
  await cluster.time.pass(1000);
  await cluster.start('east');
  await cluster.start('south');
  await cluster.time.pass(30_000, () => cluster.box('south').validator.consensus().view > floor);
  assert.ok(cluster.box('south').validator.consensus().view > floor, 'south has taken the order');
  // Before it votes by it. The others go on by the order.
  cluster.crash('south');
  await cluster.start('west');
  await cluster.time.pass(300_000, () => cluster.box('north').validator.head().height > height + 3);
  const atHeight = (id: string) =>
    cluster.box(id).final.find((final) => final.block.header.height === height + 1)?.block.header;
  assert.ok((atHeight('north')?.view ?? 0) > floor);
  await cluster.time.pass(2000);
  // West is heard first by south, with a second order that somebody had signed, and with what it kept back.
  cluster.crash('west');
  const west = cluster.hub.join('west');
  const { certificate } = lost;
  west.handle(blockProtocol, () =>
    Promise.resolve(encodeBlockAnswer(0, [encodeFinalRecord({ block: lost.block, certificate })])),
  );
  cluster.fate = (from, to) => (to === 'south' && from !== 'west' ? [1000] : [1]);
  await cluster.start('south');
  const secondFloor = floorWithout(cluster, epoch, floor + restartViewsMin, ['south']);
  const second = signedOrder({ ...order, floor: secondFloor }, signers);
  const standing = { epoch, finalView: certificate.view, from: certificate.view + 1 };
  for (let round = 0; round < 95; round++) {
    west.send('south', encodeMessage({ type: 'restart', order: second }));
    if (round >= 5) west.send('south', encodeMessage({ type: 'standing', standing, height: height + 1 }));
    await cluster.time.pass(10);
  }
  await cluster.time.pass(60_000, () => atHeight('south') !== undefined);
  assert.deepEqual(atHeight('south'), atHeight('north'));
});
