import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { encodeTransaction } from '../../firmware/src/ledger/index.ts';
import type { StudyId } from '../../firmware/src/ledger/types.ts';
import {
  heartbeatMs,
  institutionTransactionsMax,
  waitingMsMax,
} from '../../firmware/src/validator/limits.ts';
import { encodeMessage } from '../../firmware/src/validator/messages.ts';
import { decodeVoteRecord } from '../../firmware/src/validator/vote-records.ts';
import { Cluster } from '../fakes/cluster.ts';
import { genesisTime, signerOf } from '../fakes/ledger.ts';
import { settled } from '../fakes/virtual-clock.ts';

async function startedCluster(t: TestContext, cluster = new Cluster()): Promise<Cluster> {
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  await cluster.time.pass(100);
  return cluster;
}

function registration(
  cluster: Cluster,
  source: string,
  batch: string,
  change: { readonly validUntil?: number } = {},
): { readonly bytes: Uint8Array; readonly study: StudyId } {
  const { transaction, ids } = cluster.fixture.register(source, batch, [signerOf(`owner ${batch}`)], change);
  const [study] = ids;
  assert.ok(study !== undefined);
  return { bytes: encodeTransaction(transaction), study };
}

function assertEqualHeads(cluster: Cluster): void {
  const heads = [...cluster.boxes.values()].map(({ validator }) => validator.head());
  for (const head of heads) assert.deepEqual(head, heads[0]);
}

test('a transaction is final on all boxes within a few message delays', async (t) => {
  const cluster = await startedCluster(t);
  const { bytes, study } = registration(cluster, 'south', 'one');
  const before = cluster.time.now;
  const submitted = cluster.box('south').validator.submit(bytes);
  await cluster.time.pass(2000, () => cluster.heights().every((height) => height === 1));
  assert.ok(cluster.time.now - before <= 10, `${cluster.time.now - before} ms`);
  const { time } = cluster.box('south').validator.head();
  assert.deepEqual(await submitted, { kind: 'final', height: 1, time });
  for (const id of cluster.ids) {
    const { validator, final } = cluster.box(id);
    assert.deepEqual(
      final.map(({ transactions }) => transactions.length),
      [1],
    );
    assert.ok(validator.state().study(study) !== undefined);
    const { block, certificate } = validator.evidence();
    assert.equal(block.header.height, 1);
    assert.equal(toHex(certificate.digest), toHex(validator.head().digest));
    assert.equal(certificate.signatures.length, 3);
  }
});

test('listeners hear each final block once, in order, when its state is current', async (t) => {
  const cluster = await startedCluster(t);
  const { validator } = cluster.box('east');
  const heard: number[] = [];
  validator.onFinal(({ block }) => {
    heard.push(block.header.height);
    assert.equal(validator.head().height, block.header.height);
    assert.equal(toHex(validator.state().root), toHex(block.header.stateRoot));
  });
  for (const batch of ['a', 'b', 'c', 'd']) {
    void cluster.box('west').validator.submit(registration(cluster, 'west', batch).bytes);
    await cluster.time.pass(20);
  }
  await cluster.time.pass(3 * heartbeatMs);
  assert.deepEqual(
    heard,
    heard.map((_, index) => index + 1),
  );
  assert.ok(heard.length >= 7);
  const fromDisk: number[] = [];
  for await (const { block } of validator.blocks(2)) fromDisk.push(block.header.height);
  assert.deepEqual(fromDisk, heard.slice(1));
});

test('without work there is a heartbeat every 10 s, and nothing else', async (t) => {
  const cluster = await startedCluster(t);
  await cluster.time.pass(60_000);
  assert.deepEqual(cluster.heights(), [6, 6, 6, 6]);
  const times = cluster.box('north').final.map(({ block }) => block.header.time);
  for (const [index, time] of times.entries()) {
    const gap = time - (times[index - 1] ?? genesisTime);
    assert.ok(gap >= heartbeatMs && gap < heartbeatMs + 100, `${gap} ms`);
  }
  assert.deepEqual(cluster.box('north').health.list(), []);
});

test('with one box off the others go on, also when it would lead; it catches up when it returns', async (t) => {
  const cluster = await startedCluster(t);
  cluster.crash('east');
  for (const batch of ['a', 'b', 'c', 'd', 'e', 'f']) {
    const before = cluster.time.now;
    const submitted = cluster.box('north').validator.submit(registration(cluster, 'north', batch).bytes);
    await cluster.time.pass(5000, () => cluster.heights().every((height) => height >= 1));
    await cluster.time.pass(1000);
    assert.equal((await submitted).kind, 'final');
    assert.ok(cluster.time.now - before <= 1100);
  }
  const height = cluster.box('north').validator.head().height;
  assert.ok(height >= 6);
  const { final } = await cluster.start('east');
  await cluster.time.pass(500);
  assertEqualHeads(cluster);
  assert.deepEqual(
    final.map(({ block }) => block.header.height),
    Array.from({ length: height }, (_, i) => i + 1),
  );
  // And it votes again: another one may be off.
  cluster.crash('west');
  const submitted = cluster.box('east').validator.submit(registration(cluster, 'east', 'last').bytes);
  await cluster.time.pass(5000);
  assert.equal((await submitted).kind, 'final');
});

test('a box whose clock is behind says so, and no longer when it is set', async (t) => {
  const cluster = new Cluster();
  t.after(() => cluster.stopAll());
  cluster.skews.set('south', -12_000);
  await cluster.startAll();
  await cluster.time.pass(15_000);
  const alarms = (id: string) => cluster.box(id).health.list();
  assert.deepEqual(
    alarms('south').map(({ code }) => code),
    ['CLOCK_BEHIND'],
  );
  assert.match(alarms('south')[0]?.detail ?? '', /\d+ s ahead of this box's clock/);
  assert.deepEqual(alarms('north'), []);
  cluster.crash('south');
  cluster.skews.delete('south');
  await cluster.start('south');
  await cluster.time.pass(15_000);
  assert.deepEqual(alarms('south'), []);
});

test('two of four off: nothing becomes final, the ledger is reported stale, and goes on when one returns', async (t) => {
  const cluster = await startedCluster(t);
  cluster.crash('east');
  cluster.crash('west');
  let outcome = '';
  void cluster
    .box('north')
    .validator.submit(registration(cluster, 'north', 'a').bytes)
    .then(({ kind }) => (outcome = kind));
  await cluster.time.pass(60_000);
  assert.deepEqual(cluster.heights(), [0, 0]);
  assert.equal(outcome, '');
  assert.deepEqual(
    cluster
      .box('north')
      .health.list()
      .map(({ code }) => code),
    ['LEDGER_STALE'],
  );
  await cluster.start('west');
  await cluster.time.pass(15_000);
  assert.equal(outcome, 'final');
  assert.deepEqual(cluster.box('north').health.list(), []);
});

test('all boxes losing power at any moment come back and go on', async (t) => {
  for (const moment of [1, 2, 3, 4, 5, 6, 8]) {
    const cluster = await startedCluster(t);
    void cluster
      .box('south')
      .validator.submit(registration(cluster, 'south', 'a').bytes)
      .catch(() => undefined);
    await cluster.time.pass(moment);
    for (const id of cluster.ids) cluster.crash(id);
    await cluster.startAll();
    await cluster.time.pass(12_000);
    assertEqualHeads(cluster);
    assert.ok((cluster.heights()[0] ?? 0) >= 1, `power lost after ${moment} ms`);
    assert.deepEqual(cluster.box('north').validator.misbehaviour(), []);
    await cluster.stopAll();
  }
});

test('a box whose vote log fails votes no more, says so, and goes on reading', async (t) => {
  const cluster = await startedCluster(t);
  const box = cluster.box('south');
  box.voteLog.failAppends = true;
  const votesOnDisk = cluster.disksOf('south').votes.records.length;
  const submitted = box.validator.submit(registration(cluster, 'south', 'a').bytes);
  await cluster.time.pass(2500);
  assert.equal((await submitted).kind, 'final');
  assert.deepEqual(
    box.health.list().map(({ code, subject }) => [code, subject]),
    [['STORE_FAILED', 'vote log']],
  );
  assert.equal(box.validator.consensus().isVoting, false);
  assert.equal(cluster.disksOf('south').votes.records.length, votesOnDisk);
  assertEqualHeads(cluster);
  // No certificate counts a vote of it any more.
  const south = cluster.fixture.genesis.validators.indexOf('south');
  const { certificate } = box.validator.evidence();
  assert.ok(certificate.signatures.every(({ validator }) => validator !== south));
});

test('a box without a usable vote log follows without a vote', async (t) => {
  const cluster = new Cluster();
  for (const id of ['north', 'south', 'east']) await cluster.start(id);
  const box = await cluster.start('west', { withoutVoteLog: true });
  t.after(() => cluster.stopAll());
  await cluster.time.pass(2 * heartbeatMs + 3000);
  assert.ok(box.validator.head().height >= 2);
  assertEqualHeads(cluster);
  assert.equal(box.validator.consensus().isVoting, false);
  const { votes } = cluster.disksOf('west');
  const records = [utf8('an intact record of a later version')];
  cluster.crash('west');
  votes.records = records;
  const again = await cluster.start('west');
  assert.equal(again.validator.consensus().isVoting, false);
  assert.deepEqual(votes.records, records);
  assert.deepEqual(
    again.health.list().map(({ code }) => code),
    ['VOTE_LOG_CORRUPT'],
  );
  // Put aside by an administrator, the log begins with what is not known of it: still no vote.
  cluster.crash('west');
  votes.records = [];
  const { validator, health } = await cluster.start('west');
  assert.equal(validator.consensus().isVoting, false);
  assert.deepEqual(
    health.list().map(({ code }) => code),
    ['VOTE_LOG_CORRUPT'],
  );
  const [first] = votes.records;
  assert.ok(first !== undefined);
  assert.deepEqual(decodeVoteRecord(first), { type: 'gap' });
});

test('a box whose block log fails stands still and says so; what waits is told', async (t) => {
  const cluster = await startedCluster(t);
  const box = cluster.box('south');
  box.blockLog.failAppends = true;
  const submitted = box.validator.submit(registration(cluster, 'south', 'a').bytes);
  const rejected = assert.rejects(submitted, { code: 'STORE_FAILED' });
  await cluster.time.pass(2500);
  await rejected;
  assert.deepEqual(
    box.health.list().map(({ code, subject }) => [code, subject]),
    [['STORE_FAILED', 'ledger']],
  );
  assert.equal(box.validator.head().height, 0);
  assert.equal(cluster.box('north').validator.head().height, 1);
  await assert.rejects(box.validator.submit(registration(cluster, 'south', 'b').bytes), {
    code: 'STORE_FAILED',
  });
});

test('the vote log is begun anew when it is large, and a restart after it contradicts nothing', async (t) => {
  const cluster = new Cluster();
  for (const id of cluster.ids) await cluster.start(id, { voteLogBytesMax: 10_000 });
  t.after(() => cluster.stopAll());
  let largest = 0;
  for (let number = 0; number < 60; number++) {
    void cluster.box('north').validator.submit(registration(cluster, 'north', `n${number}`).bytes);
    await cluster.time.pass(50);
    const bytes = cluster.disksOf('north').votes.records.reduce((sum, { length }) => sum + length, 0);
    largest = Math.max(largest, bytes);
    if (number % 10 === 9) {
      cluster.crash('north');
      await cluster.start('north', { voteLogBytesMax: 10_000 });
      await cluster.time.pass(1000);
    }
  }
  assert.ok(largest < 20_000, `${largest} bytes`);
  assertEqualHeads(cluster);
  for (const id of cluster.ids) assert.deepEqual(cluster.box(id).validator.misbehaviour(), []);
});

test('a refused transaction is answered with its reason', async (t) => {
  const cluster = await startedCluster(t);
  const { validator } = cluster.box('south');
  const { bytes } = registration(cluster, 'south', 'a');
  assert.deepEqual(await validator.submit(utf8('no transaction')), {
    kind: 'refused',
    reason: 'not-canonical',
  });
  const forged = bytes.slice();
  const last = forged.length - 40;
  forged[last] = (forged[last] ?? 0) ^ 1;
  const refused = await validator.submit(forged);
  assert.equal(refused.kind, 'refused');
  const expired = registration(cluster, 'south', 'b', { validUntil: genesisTime - 1 });
  assert.deepEqual(await validator.submit(expired.bytes), { kind: 'refused', reason: 'expired' });
});

test('a transaction that waits for what never comes is refused when its time has passed', async (t) => {
  const cluster = await startedCluster(t);
  const { study } = registration(cluster, 'south', 'never registered');
  const amendment = cluster.fixture.amend('south', study, 2, { validUntil: cluster.time.now + 15_000 });
  const submitted = cluster.box('south').validator.submit(encodeTransaction(amendment));
  await cluster.time.pass(40_000);
  assert.deepEqual(await submitted, { kind: 'refused', reason: 'expired' });
  assert.equal(cluster.box('south').validator.consensus().waiting, 0);
  assert.equal(cluster.box('north').validator.consensus().waiting, 0);
});

test('what does not apply is given up when nobody waits for it any more, and not said again', async (t) => {
  const cluster = await startedCluster(t);
  const { study } = registration(cluster, 'south', 'never');
  const { validator } = cluster.box('south');
  const waiting = (): number[] =>
    ['south', 'north'].map((id) => cluster.box(id).validator.consensus().waiting);
  const amendment = encodeTransaction(cluster.fixture.amend('south', study, 2));
  const [first, second] = [new AbortController(), new AbortController()];
  const left = [first, second].map(({ signal }) =>
    assert.rejects(validator.submit(amendment, signal), { code: 'BUSY' }),
  );
  await cluster.time.pass(1000);
  first.abort(new AppError('BUSY', 'the wallet hung up'));
  await cluster.time.pass(2 * waitingMsMax);
  assert.deepEqual(waiting(), [1, 1]);
  second.abort(new AppError('BUSY', 'the wallet hung up'));
  await cluster.time.pass(waitingMsMax + 2 * heartbeatMs);
  assert.deepEqual(waiting(), [0, 0]);
  await Promise.all(left);
});

test('an amendment that is submitted before its registration is final follows it', async (t) => {
  const cluster = await startedCluster(t);
  const { validator } = cluster.box('south');
  const { bytes, study } = registration(cluster, 'south', 'a');
  const both = Promise.all([
    validator.submit(bytes),
    validator.submit(encodeTransaction(cluster.fixture.amend('south', study, 2))),
  ]);
  await cluster.time.pass(3000);
  assert.deepEqual(
    (await both).map(({ kind }) => kind),
    ['final', 'final'],
  );
  assert.equal(cluster.box('west').validator.state().study(study)?.version, 2);
});

test('of two that exclude each other one is final and one refused', async (t) => {
  const cluster = await startedCluster(t);
  const { bytes, study } = registration(cluster, 'south', 'a');
  void cluster.box('south').validator.submit(bytes);
  await cluster.time.pass(100);
  const outcomes = Promise.all(
    [1, 2].map((number) => {
      const amendment = cluster.fixture.amend('south', study, 2, {
        validUntil: genesisTime + 86_400_000 + number,
      });
      return cluster.box('south').validator.submit(encodeTransaction(amendment));
    }),
  );
  await cluster.time.pass(3000);
  assert.deepEqual((await outcomes).map(({ kind }) => kind).sort(), ['final', 'refused']);
});

test('a transaction submitted twice is one, also after it is final', async (t) => {
  const cluster = await startedCluster(t);
  const { validator } = cluster.box('south');
  const { bytes } = registration(cluster, 'south', 'a');
  const [first, second] = [validator.submit(bytes), validator.submit(bytes)];
  await cluster.time.pass(100);
  assert.deepEqual(await first, await second);
  assert.deepEqual(await validator.submit(bytes), await first);
  assert.equal(cluster.box('north').final.flatMap(({ transactions }) => transactions).length, 1);
});

test('the wait for finality can be given up; the transaction stays', async (t) => {
  const cluster = await startedCluster(t);
  const { validator } = cluster.box('south');
  const { bytes } = registration(cluster, 'south', 'a');
  const abort = new AbortController();
  const submitted = validator.submit(bytes, abort.signal);
  abort.abort(new Error('enough'));
  await assert.rejects(submitted, { message: 'enough' });
  await cluster.time.pass(100);
  assert.equal(validator.head().height, 1);
});

test('a box that submits more than its share is told that the mempool is full', async (t) => {
  const cluster = await startedCluster(t);
  for (const id of ['north', 'east', 'west']) cluster.hub.setConnected('south', id, false);
  const { validator } = cluster.box('south');
  const { study } = registration(cluster, 'south', 'unknown');
  const submit = (number: number) => {
    const amendment = cluster.fixture.amend('south', study, 2, {
      validUntil: genesisTime + 3_600_000 + number,
    });
    return validator.submit(encodeTransaction(amendment));
  };
  const waiting = Array.from({ length: institutionTransactionsMax }, (_, number) =>
    submit(number).catch(() => undefined),
  );
  await assert.rejects(submit(institutionTransactionsMax), { code: 'MEMPOOL_FULL' });
  assert.equal(waiting.length, validator.consensus().waiting);
});

test('what is submitted and not final when the box stops is told', async () => {
  const cluster = new Cluster();
  const { validator } = await cluster.start('south');
  const submitted = validator.submit(registration(cluster, 'south', 'a').bytes);
  const rejected = assert.rejects(submitted, { code: 'LEDGER_STALE' });
  await validator.stop();
  await rejected;
  const events = cluster.time.events.now;
  await cluster.time.pass(60_000);
  await settled();
  assert.ok(cluster.time.events.now > events);
  assert.equal(validator.head().height, 0);
});

test('bytes that are no message are dropped', async (t) => {
  const cluster = await startedCluster(t);
  const stranger = cluster.hub.join('stranger');
  const { validator } = cluster.box('south');
  for (const bytes of [utf8('x'), new Uint8Array(1000), Uint8Array.of(0xa1, 0x61, 0x78, 0xff)])
    stranger.send('south', bytes);
  const signature = new Uint8Array(64);
  const content = { epoch: 0, view: 1, digest: new Uint8Array(32).fill(1) };
  stranger.send(
    'south',
    encodeMessage({ type: 'vote', vote: { kind: 'notarize', ...content, validator: 0, signature } }),
  );
  stranger.send(
    'south',
    encodeMessage({
      type: 'certificate',
      certificate: {
        kind: 'finalize',
        ...content,
        signatures: [0, 1, 2].map((validatorIndex) => ({ validator: validatorIndex, signature })),
      },
    }),
  );
  await cluster.time.pass(100);
  assert.equal(validator.consensus().finalView, 0);
  const submitted = validator.submit(registration(cluster, 'south', 'a').bytes);
  await cluster.time.pass(100);
  assert.equal((await submitted).kind, 'final');
});

test('a block whose time is more than 10 s off gets no vote; the others go on', async (t) => {
  const cluster = new Cluster();
  cluster.skews.set('south', 12_000);
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  await cluster.time.pass(60_000);
  assertEqualHeads(cluster);
  const blocks = cluster.box('north').final;
  assert.ok(blocks.length >= 4);
  for (const { block } of blocks) assert.notEqual(block.header.proposer, 'south');
  assert.ok(Math.abs(cluster.box('north').validator.head().time - cluster.time.now) < 15_000);
});

test('an institution that is no validator follows the ledger and can submit', async (t) => {
  const cluster = new Cluster(['north', 'south', 'east', 'west', 'reader'], { validators: 4 });
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  await cluster.time.pass(100);
  const submitted = cluster.box('reader').validator.submit(registration(cluster, 'reader', 'a').bytes);
  await cluster.time.pass(100);
  assert.equal((await submitted).kind, 'final');
  assertEqualHeads(cluster);
  assert.equal(cluster.box('reader').validator.consensus().isVoting, false);
});
