/** More than f identity keys of an epoch are lost before they signed its end: its handover never completes. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { handoversOpenMax } from '../../firmware/src/validator/limits.ts';
import { Cluster } from '../fakes/cluster.ts';

const members = ['north', 'south', 'east', 'west'];
/** Epochs of a few blocks, of which two are kept. */
const epochMs = 20_000;

/** Nine epochs long nobody has the handover of this epoch. */
async function without(t: TestContext, epoch: number): Promise<Cluster> {
  const cluster = new Cluster([...members, 'late'], {
    validators: members.length,
    parameters: { epochMs },
    bodiesKeptEpochs: 2,
  });
  t.after(() => cluster.stopAll());
  for (const id of members) {
    const { handovers } = cluster.disksOf(id);
    const write = handovers.write.bind(handovers);
    handovers.write = (operations) =>
      write(operations.filter((each) => !('put' in each && each.put === `handover/${epoch}`)));
    await cluster.start(id);
  }
  await cluster.time.pass(9 * epochMs);
  return cluster;
}

const codesOf = (cluster: Cluster, id: string): string[] =>
  cluster
    .box(id)
    .health.list()
    .map(({ code }) => code);

test('blocks from that epoch on are kept, with an alarm, and a new box catches up by them', async (t) => {
  const cluster = await without(t, 3);
  for (const id of members) {
    const { validator, blockLog } = cluster.box(id);
    assert.ok(validator.state().epoch().number > 6, id);
    const { startHeight } = validator.state().epochOf(3) ?? assert.fail();
    assert.ok(blockLog.first > 0 && blockLog.first <= startHeight, `${id} begins at ${blockLog.first}`);
    const alarm = cluster
      .box(id)
      .health.list()
      .find(({ code }) => code === 'HANDOVER_MISSING');
    assert.match(alarm?.detail ?? '', /epoch 3/);
  }
  const late = await cluster.start('late');
  await cluster.time.pass(epochMs);
  assert.equal(late.validator.head().height, cluster.box('north').validator.head().height);
  assert.ok(late.blockLog.first > 0, 'it came by a snapshot, as far as the way leads');
  assert.ok(!codesOf(cluster, 'late').includes('CATCH_UP_STUCK'));
});

test('a box to which nobody can show the way says so, until somebody can', async (t) => {
  const cluster = await without(t, 3);
  // Only one of them still has the blocks of that epoch, and is off.
  for (const id of members) cluster.crash(id);
  for (const id of members.slice(1)) {
    const { blocks } = cluster.disksOf(id);
    const dropped = blocks.records.splice(0, blocks.records.length - 8);
    blocks.first = (blocks.first ?? 0) + dropped.length;
    await cluster.start(id);
  }
  await cluster.start('late');
  await cluster.time.pass(epochMs);
  assert.ok(codesOf(cluster, 'late').includes('CATCH_UP_STUCK'));
  await cluster.start('north');
  await cluster.time.pass(2 * epochMs);
  const { height } = cluster.box('north').validator.head();
  assert.equal(cluster.box('late').validator.head().height, height);
  assert.ok(!codesOf(cluster, 'late').includes('CATCH_UP_STUCK'));
});

test('a box that caught up over more epochs than it keeps open fetches the handovers that it let go of', async (t) => {
  // An empty block each 10 s closes an epoch.
  const cluster = new Cluster(members, { parameters: { epochMs: 1000 }, bodiesKeptEpochs: 1000 });
  t.after(() => cluster.stopAll());
  const [away = '', ...others] = members;
  for (const id of others) await cluster.start(id);
  const epochs = handoversOpenMax + 6;
  await cluster.time.pass(epochs * 10_000);
  const late = await cluster.start(away);
  // Four of the last ones each 5 s, and those before them.
  await cluster.time.pass(240_000);
  assert.ok(late.validator.state().epoch().number > epochs);
  assert.equal(late.validator.firstBlock(), 0, 'it came by blocks');
  assert.equal(late.validator.state().epochOf(0), undefined);
  for (let epoch = 0; epoch < epochs; epoch++)
    assert.ok((await late.validator.handover(epoch)) !== undefined, `handover of epoch ${epoch}`);
  assert.ok(!codesOf(cluster, away).includes('HANDOVER_MISSING'));
});

test('while each epoch is handed over nobody is alarmed, and old blocks are dropped', async (t) => {
  const cluster = await without(t, 1000);
  for (const id of members) {
    const { validator, blockLog } = cluster.box(id);
    const { startHeight } = validator.state().epochOf(3) ?? assert.fail();
    assert.ok(blockLog.first > startHeight, id);
    assert.ok(!codesOf(cluster, id).includes('HANDOVER_MISSING'), id);
  }
});
