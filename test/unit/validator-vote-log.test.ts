/** What a box believes of its vote log at a start, and when it votes again after it may have forgotten votes. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { decodeVoteRecord } from '../../firmware/src/validator/vote-records.ts';
import type { VoteRecord } from '../../firmware/src/validator/vote-records.ts';
import { Cluster } from '../fakes/cluster.ts';

async function startedCluster(t: TestContext): Promise<Cluster> {
  const cluster = new Cluster();
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  await cluster.time.pass(25_000);
  return cluster;
}

function recordsOf(cluster: Cluster, id: string): VoteRecord[] {
  return cluster.disksOf(id).votes.records.map(decodeVoteRecord);
}

test('a log that is complete binds the box, over any number of starts', async (t) => {
  const cluster = await startedCluster(t);
  const { starts } = cluster.disksOf('south');
  const first = starts.count;
  for (let start = 1; start <= 3; start++) {
    cluster.crash('south');
    const { validator, health } = await cluster.start('south');
    assert.equal(validator.consensus().isVoting, true);
    assert.deepEqual(health.list(), []);
    assert.equal(starts.count, first + start);
    assert.deepEqual(recordsOf(cluster, 'south').at(-1), { type: 'start', number: first + start });
  }
});

test('a box that stopped between its log and the count of starts votes on', async (t) => {
  const cluster = await startedCluster(t);
  const { starts } = cluster.disksOf('south');
  cluster.crash('south');
  starts.count--;
  assert.equal((await cluster.start('south')).validator.consensus().isVoting, true);
});

test('a log of an earlier start was set back: the box does not vote', async (t) => {
  const cluster = await startedCluster(t);
  const { votes } = cluster.disksOf('south');
  cluster.crash('south');
  const copy = [...votes.records];
  await cluster.start('south');
  await cluster.time.pass(12_000);
  cluster.crash('south');
  votes.records = copy;
  const { validator, health } = await cluster.start('south');
  assert.equal(validator.consensus().isVoting, false);
  assert.deepEqual(
    health.list().map(({ code, subject }) => [code, subject]),
    [['VOTE_LOG_CORRUPT', 'vote log']],
  );
  assert.deepEqual(
    recordsOf(cluster, 'south')
      .slice(-2)
      .map(({ type }) => type),
    ['gap', 'start'],
  );
});

test('a log that is begun anew says again under which start', async (t) => {
  const cluster = new Cluster();
  for (const id of cluster.ids) await cluster.start(id, { voteLogBytesMax: 4000 });
  t.after(() => cluster.stopAll());
  await cluster.time.pass(120_000);
  const records = recordsOf(cluster, 'south');
  const [floor, start] = records;
  assert.ok(floor?.type === 'floor' && floor.view > 0);
  assert.deepEqual(start, { type: 'start', number: cluster.disksOf('south').starts.count });
  cluster.crash('south');
  assert.equal((await cluster.start('south')).validator.consensus().isVoting, true);
});

test('a box whose TPM does not count follows without a vote, and says so', async (t) => {
  const cluster = await startedCluster(t);
  cluster.crash('south');
  cluster.disksOf('south').starts.fails = true;
  const { validator, health } = await cluster.start('south');
  assert.equal(validator.consensus().isVoting, false);
  assert.deepEqual(
    health.list().map(({ code }) => code),
    ['TPM_ABSENT'],
  );
});
