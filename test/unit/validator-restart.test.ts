/** More than f boxes have forgotten how they voted: the ledger stands still until a quorum of offline roots decides. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeTransaction } from '../../firmware/src/ledger/index.ts';
import { restartViewsMin } from '../../firmware/src/restart/limits.ts';
import type { RestartOrder } from '../../firmware/src/restart/restart-order.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { voteMessage } from '../../firmware/src/consensus/signatures.ts';
import { wrongRestartMs } from '../../firmware/src/validator/limits.ts';
import { decodeMessage, encodeMessage } from '../../firmware/src/validator/messages.ts';
import { decodeVoteRecord, encodeVoteRecord } from '../../firmware/src/validator/vote-records.ts';
import type { Cluster } from '../fakes/cluster.ts';
import { signerOf } from '../fakes/ledger.ts';
import { signedOrder } from '../support/restart-orders.ts';
import { abstainingOf, forgetful, orderOf, say, signers, standstill } from '../support/standstill.ts';

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
  for (const id of ['north', 'west']) say(cluster, order, ['east', 'south'], id);
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
  const named = ['north', 'south'].map((id) => abstainingOf(cluster, id));
  const bytes = signedOrder(orderOf(cluster, { abstaining: named }), ['north', 'south', 'west']);
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

test('a wrong order of the administrator is an alarm, and nothing else; one of a peer changes nothing', async (t) => {
  const cluster = await standstill(t);
  await cluster.startAll();
  await cluster.time.pass(2000);
  const bytes = signedOrder(orderOf(cluster), ['north', 'south']);
  for (const id of ['north', 'west'])
    cluster.hub.member(id)?.arrive('south', encodeMessage({ type: 'restart', order: bytes }));
  await cluster.time.pass(5000);
  assert.ok(cluster.box('west').validator.consensus().view < restartViewsMin);
  cluster.crash('west');
  let isDiscarded = false;
  const { health, validator } = await cluster.start('west', {
    restartOrder: bytes,
    discardRestartOrder: async () => void (isDiscarded = await Promise.resolve(true)),
  });
  const alarm = health.list().find(({ code }) => code === 'RESTART_REFUSED');
  assert.match(alarm?.detail ?? '', /too-few-roots/);
  await cluster.time.pass(2000);
  assert.ok(validator.consensus().view < restartViewsMin);
  assert.equal(isDiscarded, false);
});

test('a power cut between the two writes of taking an order leaves an order that holds', async (t) => {
  const cluster = await standstill(t);
  await cluster.startAll();
  await cluster.time.pass(2000);
  const order = orderOf(cluster);
  const bytes = signedOrder(order, signers);
  for (const id of cluster.ids) cluster.crash(id);
  // Of each box that has forgotten one write reaches the disk: it stops at the next.
  for (const id of forgetful) {
    let written = 0;
    const cut = (write: () => Promise<void>): Promise<void> =>
      written++ === 0 ? write() : Promise.reject(new AppError('STORE_FAILED', 'no power'));
    const { handovers } = cluster.disksOf(id);
    const { voteLog } = await cluster.start(id);
    const append = voteLog.append.bind(voteLog);
    voteLog.append = (records) =>
      records.some((record) => decodeVoteRecord(record).type === 'floor')
        ? cut(() => append(records))
        : append(records);
    const write = handovers.write.bind(handovers);
    handovers.write = (operations) =>
      operations.some((operation) => 'put' in operation && operation.put === 'restart')
        ? cut(() => write(operations))
        : write(operations);
    cluster.hub.member(id)?.arrive('west', encodeMessage({ type: 'restart', order: bytes }));
    say(cluster, order, cluster.ids, id);
    await cluster.time.pass(2000);
    assert.equal(written, 2);
    cluster.crash(id);
    handovers.write = write;
  }
  for (const id of cluster.ids) await cluster.start(id, { restartOrder: bytes });
  await cluster.time.pass(30_000);
  for (const id of cluster.ids) assert.equal(cluster.box(id).validator.consensus().isVoting, true, id);
  assert.ok(Math.min(...cluster.heights()) > 0);
  for (const id of cluster.ids)
    assert.ok(cluster.box(id).validator.consensus().finalView > restartViewsMin, id);
});

test('an order closes no gap that it does not name: a box that is set back to the standstill abstains', async (t) => {
  const cluster = await standstill(t);
  await cluster.startAll();
  await cluster.time.pass(2000);
  const order = orderOf(cluster);
  const bytes = signedOrder(order, signers);
  // A copy of the running box, as hypervisors make them: of its disks, and not of its TPM.
  const { votes, blocks, state } = cluster.disksOf('east');
  const copy = { votes: [...votes.records], blocks: [...blocks.records], entries: [...state.entries] };
  const { height, digest } = state;
  cluster.crash('west');
  let discarded = 0;
  await cluster.start('west', {
    restartOrder: bytes,
    discardRestartOrder: async () => void (discarded += await Promise.resolve(1)),
  });
  await cluster.time.pass(20_000);
  assert.equal(discarded, 1, 'what is taken is not brought again');
  const east = cluster.box('east').validator;
  assert.ok(east.consensus().isVoting && east.consensus().finalView > order.floor);
  cluster.crash('east');
  votes.records = copy.votes;
  blocks.records = copy.blocks;
  state.entries.clear();
  for (const [key, value] of copy.entries) state.entries.set(key, value);
  state.height = height;
  state.digest = digest;
  await cluster.disksOf('east').handovers.write([{ delete: 'restart' }]);
  // It hears nobody, so that no later block tells it that the order is over.
  cluster.fate = (_from, to) => (to === 'east' ? [] : [1]);
  const again = await cluster.start('east', { restartOrder: bytes });
  await cluster.time.pass(40_000);
  const floored = votes.records.map(decodeVoteRecord).some(({ type }) => type === 'floor');
  assert.deepEqual([again.validator.consensus().isVoting, floored], [false, false]);
  cluster.fate = () => [1];
  await cluster.time.pass(40_000);
  for (const id of cluster.ids) assert.deepEqual(cluster.box(id).validator.misbehaviour(), [], id);
});

test('an order that is over is discarded, and no alarm', async (t) => {
  const cluster = await standstill(t);
  await cluster.startAll();
  await cluster.time.pass(2000);
  const bytes = signedOrder(orderOf(cluster), signers);
  cluster.crash('west');
  await cluster.start('west', { restartOrder: bytes });
  await cluster.time.pass(20_000);
  cluster.crash('north');
  let discarded = 0;
  const { health } = await cluster.start('north', {
    restartOrder: bytes,
    discardRestartOrder: async () => void (discarded += await Promise.resolve(1)),
  });
  assert.equal(discarded, 1);
  assert.ok(health.list().every(({ code }) => code !== 'RESTART_REFUSED'));
});

/** West has voted to make a block final, in the view after its newest final one, that none of the signers knew. */
async function unknownVote(cluster: Cluster): Promise<RestartOrder> {
  const west = await cluster.start('west');
  await cluster.time.pass(2000);
  const order = orderOf(cluster);
  const { block } = west.validator.evidence();
  cluster.crash('west');
  const { epoch } = block.header;
  const content = {
    kind: 'finalize',
    epoch,
    view: order.view + 1,
    digest: new Uint8Array(32).fill(5),
  } as const;
  const { voting } = cluster.fixture.box('west');
  const validator = cluster.ids.indexOf('west');
  const vote = { ...content, validator, signature: voting.sign(voteMessage(order.chain, content)) };
  cluster.disksOf('west').votes.records.push(encodeVoteRecord({ type: 'vote', vote, block: null }));
  return order;
}

/** How many restart orders a box has sent to another one. */
function ordersSent(cluster: Cluster, from: string, to: string): () => number {
  const network = cluster.hub.member(from);
  assert.ok(network !== undefined);
  const send = network.send.bind(network);
  let count = 0;
  network.send = (peer, message) => {
    const decoded = decodeMessage(message);
    if (peer === to && decoded.kind === 'message' && decoded.message.type === 'restart') count++;
    send(peer, message);
  };
  return () => count;
}

test('a box that has voted to make a later block final takes no order that leads behind it, and says so', async (t) => {
  const cluster = await standstill(t);
  const order = await unknownVote(cluster);
  const bytes = signedOrder(order, signers);
  const { validator, health } = await cluster.start('west', { restartOrder: bytes });
  const refused = () => health.list().find(({ code }) => code === 'RESTART_REFUSED');
  await cluster.time.pass(2000);
  assert.match(refused()?.detail ?? '', /voted to make a later block final/);
  assert.ok(validator.consensus().view < order.floor);
  // The others are a quorum without it: what they make final it takes, and the alarm is over.
  for (const id of forgetful) await cluster.start(id, { restartOrder: bytes });
  await cluster.time.pass(30_000);
  assert.ok(validator.consensus().finalView > order.floor);
  assert.equal(refused(), undefined);
  for (const id of cluster.ids) assert.deepEqual(cluster.box(id).validator.misbehaviour(), [], id);
});

test('an order is not sent each second to who has it', async (t) => {
  const cluster = await standstill(t);
  const order = await unknownVote(cluster);
  const bytes = signedOrder(order, signers);
  await cluster.start('west', { restartOrder: bytes });
  await cluster.start('north', { restartOrder: bytes });
  for (const id of ['north', 'west']) say(cluster, order, ['east', 'south'], id);
  const sent = ordersSent(cluster, 'north', 'west');
  await cluster.time.pass(25_000);
  assert.ok(sent() > 0 && sent() <= 3, `${sent()} times`);
});

test('a peer that has sent a wrong order is heard about the right one after a while', async (t) => {
  const cluster = await standstill(t);
  await cluster.startAll();
  await cluster.time.pass(2000);
  const order = orderOf(cluster);
  const bring = (bytes: Uint8Array): void => {
    cluster.hub.member('north')?.arrive('west', encodeMessage({ type: 'restart', order: bytes }));
  };
  bring(signedOrder(order, ['north', 'south']));
  await cluster.time.pass(wrongRestartMs - 1000);
  bring(signedOrder(order, signers));
  await cluster.time.pass(500);
  assert.ok(cluster.box('north').validator.consensus().view < order.floor);
  await cluster.time.pass(1000);
  bring(signedOrder(order, signers));
  await cluster.time.pass(10_000);
  for (const id of cluster.ids) assert.ok(cluster.box(id).validator.consensus().view > order.floor, id);
});

test('an order that came by a peer with other signatures is discarded where the administrator has brought it', async (t) => {
  const cluster = await standstill(t);
  // West has none of the blocks: it cannot take the order yet.
  await cluster.startAll();
  await cluster.time.pass(2000);
  const order = orderOf(cluster);
  cluster.crash('west');
  cluster.hub
    .member('north')
    ?.arrive('east', encodeMessage({ type: 'restart', order: signedOrder(order, signers) }));
  await cluster.time.pass(5000);
  let discarded = 0;
  await cluster.start('west', {
    restartOrder: signedOrder(order, ['east', 'north', 'south', 'west']),
    discardRestartOrder: async () => void (discarded += await Promise.resolve(1)),
  });
  await cluster.time.pass(10_000);
  assert.equal(discarded, 1);
});
