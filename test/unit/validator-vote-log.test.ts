/** What a box believes of its vote log at a start, and when it votes again after it may have forgotten votes. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { noDigest } from '../../firmware/src/consensus/signatures.ts';
import type { Place } from '../../firmware/src/validator/place.ts';
import type { VoteLogContent } from '../../firmware/src/validator/vote-log.ts';
import { readVoteLog } from '../../firmware/src/validator/vote-log.ts';
import { decodeVoteRecord, encodeVoteRecord } from '../../firmware/src/validator/vote-records.ts';
import type { VoteRecord } from '../../firmware/src/validator/vote-records.ts';
import { keyChangePauseMs } from '../../firmware/src/validator/limits.ts';
import { MemoryAppendLog } from '../fakes/append-log.ts';
import { Cluster } from '../fakes/cluster.ts';
import { vote } from '../fakes/core-box.ts';

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

test('a box whose ledger is gone with its vote log is no new box: the TPM has counted its starts', async (t) => {
  const cluster = await startedCluster(t);
  cluster.crash('south');
  cluster.loseLedger('south');
  const { validator, health } = await cluster.start('south');
  assert.equal(validator.consensus().isVoting, false);
  assert.deepEqual(
    health.list().map(({ code }) => code),
    ['VOTE_LOG_CORRUPT'],
  );
  await cluster.time.pass(15_000, () => validator.consensus().isVoting);
  assert.equal(validator.consensus().isVoting, true);
  assert.ok((validator.state().institution('south')?.version ?? 0) >= 2, 'it has named a fresh key');
  for (const { validator: other } of cluster.boxes.values()) assert.deepEqual(other.misbehaviour(), []);
});

test('a box that may have forgotten votes names a fresh key, and votes again after the block that holds it', async (t) => {
  const cluster = await startedCluster(t);
  cluster.crash('south');
  const old = cluster.fixture.box('south').voting.publicKey;
  cluster.disksOf('south').votes.records = [];
  const { validator, health } = await cluster.start('south');
  assert.equal(validator.consensus().isVoting, false);
  await cluster.time.pass(5000, () => health.list().length === 0);
  assert.deepEqual(health.list(), []);
  const named = validator.state().institution('south')?.keys.voting ?? assert.fail();
  assert.notDeepEqual(named, old);
  const holder = cluster
    .box('north')
    .final.find(({ transactions }) => transactions.some(({ body }) => body.type === 'institution.update'));
  const floor = recordsOf(cluster, 'south').find(({ type }) => type === 'floor');
  assert.deepEqual(floor, { type: 'floor', epoch: 0, view: (holder?.block.header.view ?? 0) + 1 });
  // Not one vote of it is for a view up to the floor, and it counts again: another box may be off.
  for (const record of recordsOf(cluster, 'south')) {
    if (record.type === 'vote') assert.ok(record.vote.view > floor.view);
  }
  await cluster.time.pass(15_000, () => validator.consensus().isVoting);
  cluster.crash('west');
  const { height } = validator.head();
  await cluster.time.pass(25_000);
  assert.ok(validator.head().height > height);
  for (const { validator: other } of cluster.boxes.values()) assert.deepEqual(other.misbehaviour(), []);
});

test('a transaction that was made before the box forgot does not give it its vote back', async (t) => {
  const cluster = await startedCluster(t);
  const { votes } = cluster.disksOf('south');
  cluster.crash('south');
  votes.records = [];
  // It names a key, which is lost on the way; it stops, and that transaction becomes final after its next start.
  let first: Uint8Array | undefined;
  await cluster.start('south');
  for (const id of ['north', 'east', 'west']) {
    cluster.onlyHears(id, (message, from) => {
      if (message.type !== 'transaction' || from !== 'south') return true;
      first ??= message.transaction;
      return false;
    });
  }
  await cluster.time.pass(3000, () => first !== undefined);
  cluster.crash('south');
  for (const id of ['north', 'east', 'west']) {
    cluster.crash(id);
    await cluster.start(id);
  }
  await cluster.time.pass(1000);
  void cluster.box('north').validator.submit(first ?? assert.fail('no key was named'));
  const { validator } = await cluster.start('south');
  await cluster.time.pass(300, () => validator.state().institution('south')?.version === 2);
  assert.equal(validator.state().institution('south')?.version, 2);
  assert.ok(!recordsOf(cluster, 'south').some(({ type }) => type === 'floor'));
  await cluster.time.pass(keyChangePauseMs + 15_000, () => validator.consensus().isVoting);
  assert.equal(validator.consensus().isVoting, true);
  assert.ok((validator.state().institution('south')?.version ?? 0) >= 3);
});

test('more than f boxes that forgot stand still, whatever the time', async (t) => {
  const cluster = await startedCluster(t);
  for (const id of ['south', 'east']) {
    cluster.crash(id);
    cluster.disksOf(id).votes.records = [];
  }
  const [height] = cluster.heights();
  for (const id of ['south', 'east']) await cluster.start(id);
  await cluster.time.pass(120_000);
  assert.deepEqual(cluster.heights(), [height, height, height, height]);
  for (const id of ['south', 'east']) assert.equal(cluster.box(id).validator.consensus().isVoting, false);
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

describe('the log read for an epoch', () => {
  async function read(place: Place, ...records: readonly VoteRecord[]): Promise<VoteLogContent> {
    const log = new MemoryAppendLog({ records: records.map(encodeVoteRecord) });
    return readVoteLog(log, place);
  }

  const nullified = (epoch: number, view: number): VoteRecord => ({
    type: 'vote',
    vote: vote('nullify', view, 1, noDigest, epoch),
    block: null,
  });

  test('a ledger that is older than its votes: nothing is voted for until it is there again', async () => {
    const records: readonly VoteRecord[] = [{ type: 'floor', epoch: 3, view: 4 }, nullified(3, 5)];
    assert.equal((await read({ epoch: 2, view: 7 }, ...records)).floor, Number.MAX_SAFE_INTEGER);
    const there = await read({ epoch: 3, view: 1 }, ...records);
    assert.equal(there.floor, 4);
    assert.equal(there.withoutEarlier, undefined);
  });

  test('what belongs to earlier epochs is left out, unless something is missing', async () => {
    const place = { epoch: 3, view: 0 };
    const start: VoteRecord = { type: 'start', number: 5 };
    const kept = [start, nullified(3, 1)];
    const floor: VoteRecord = { type: 'floor', epoch: 2, view: 9 };
    const whole = await read(place, floor, nullified(2, 10), ...kept);
    assert.ok(whole.isComplete && whole.floor === 0);
    assert.deepEqual(whole.withoutEarlier?.map(decodeVoteRecord), [
      { type: 'floor', epoch: 3, view: 0 },
      ...kept,
    ]);
    const lacking = await read(place, floor, { type: 'gap' }, ...kept);
    assert.ok(!lacking.isComplete);
    assert.equal(lacking.withoutEarlier, undefined);
    // A floor settles the gaps before it, and none after it.
    assert.ok((await read(place, { type: 'gap' }, { ...floor, epoch: 3 })).isComplete);
    assert.ok(!(await read(place, { ...floor, epoch: 3 }, { type: 'gap' })).isComplete);
  });

  test('a gap has the count of the start that follows it; a later gap is another', async () => {
    const place = { epoch: 3, view: 0 };
    const gap: VoteRecord = { type: 'gap' };
    const start = (number: number): VoteRecord => ({ type: 'start', number });
    const floor: VoteRecord = { type: 'floor', epoch: 3, view: 9 };
    const first = [start(2), gap, start(3), start(4)];
    assert.equal((await read(place, ...first)).gap, 3);
    assert.equal((await read(place, ...first, gap, start(7))).gap, 7);
    assert.equal((await read(place, ...first, gap)).gap, undefined);
    assert.equal((await read(place, ...first, floor, start(5))).gap, undefined);
  });

  test('an empty log is that of a new box at the ledger’s beginning only', async () => {
    assert.ok((await read({ epoch: 0, view: 0 })).isNew);
    for (const place of [
      { epoch: 0, view: 1 },
      { epoch: 1, view: 0 },
    ]) {
      const content = await read(place);
      assert.ok(!content.isNew && !content.isComplete);
    }
  });
});
