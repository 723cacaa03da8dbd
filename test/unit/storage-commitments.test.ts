/** Storage commitments: durable before they are answered, reported until they are taken, judged by what is held. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../firmware/src/errors.ts';
import type { CommitmentRequest, CommitmentResult, ReportCommitment } from '../../firmware/src/ports.ts';
import { commitmentResult } from '../../firmware/src/workflow/commitment-result.ts';
import { decodeCommitment, encodeCommitment } from '../../firmware/src/workflow/commitment-records.ts';
import {
  commitmentInstancesWaitingMax,
  commitmentReportMsMax,
  commitmentsWaitingMax,
} from '../../firmware/src/workflow/limits.ts';
import {
  StorageCommitments,
  type StorageCommitmentLimits,
} from '../../firmware/src/workflow/storage-commitments.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { settle, until } from '../support/until.ts';

const ct = '1.2.840.10008.5.1.4.1.1.2';
const mr = '1.2.840.10008.5.1.4.1.1.4';

const request = (transactionUid: string, callingAeTitle = 'CT_1'): CommitmentRequest => ({
  transactionUid,
  callingAeTitle,
  calledAeTitle: 'HILUM',
  instances: [
    { sopClassUid: ct, sopInstanceUid: '1.2.1' },
    { sopClassUid: ct, sopInstanceUid: '1.2.2' },
    { sopClassUid: mr, sopInstanceUid: '1.2.3' },
  ],
});

/** A box that holds 1.2.1 and 1.2.3, both CT images. */
class World {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore();
  readonly health = new MemoryHealthBoard();
  readonly logger = new RecordingLogger();
  readonly held = new Map([
    ['1.2.1', ct],
    ['1.2.3', ct],
  ]);
  /** AE titles that cannot be reached. */
  readonly away = new Set<string>();
  readonly tries: string[] = [];
  readonly reported: (CommitmentResult & { readonly to: string })[] = [];
  readonly report: ReportCommitment = async ({ callingAeTitle }, result) => {
    this.tries.push(`${callingAeTitle} ${result.transactionUid}`);
    if (this.away.has(callingAeTitle))
      throw new AppError('COMMITMENT_UNDELIVERED', `${callingAeTitle} cannot be reached`);
    this.reported.push({ ...result, to: callingAeTitle });
  };

  async started(limits?: StorageCommitmentLimits): Promise<StorageCommitments> {
    const commitments = new StorageCommitments({
      ...this,
      ...(limits !== undefined && { limits }),
      sopClassOf: (uid) => this.held.get(uid),
      report: (to, result, signal) => this.report(to, result, signal),
    });
    await commitments.start();
    return commitments;
  }

  get alarms(): readonly string[] {
    return this.health.list().map(({ code, subject }) => `${code} ${subject}`);
  }
}

test('what is held is committed; what is not, or is of another class, fails with its reason', () => {
  const { instances } = request('1.9');
  const held = new Map([
    ['1.2.1', ct],
    ['1.2.3', ct],
  ]);
  assert.deepEqual(
    commitmentResult({ transactionUid: '1.9', instances }, (uid) => held.get(uid)),
    {
      transactionUid: '1.9',
      committed: [{ sopClassUid: ct, sopInstanceUid: '1.2.1' }],
      failed: [
        { sopClassUid: ct, sopInstanceUid: '1.2.2', failureReason: 0x0112 },
        { sopClassUid: mr, sopInstanceUid: '1.2.3', failureReason: 0x0119 },
      ],
    },
  );
});

test('a request comes back from its record as it was', () => {
  const stored = { request: request('1.9'), at: 17 };
  assert.deepEqual(decodeCommitment(encodeCommitment(stored)), stored);
});

test('a request is on disk before it is accepted, and is removed when its result was taken', async () => {
  const world = new World();
  const commitments = await world.started();
  const write = world.store.write.bind(world.store);
  const writing = Promise.withResolvers<void>();
  world.store.write = async (changes) => {
    await writing.promise;
    await write(changes);
  };
  let answered = false;
  const accepting = commitments.accept(request('1.9')).then((answer) => {
    answered = true;
    return answer;
  });
  await settle();
  assert.equal(answered, false, 'nothing is promised before the disk has it');
  assert.deepEqual(world.tries, []);
  writing.resolve();
  assert.equal(await accepting, 'accepted');
  await until(() => commitments.waiting === 0, 'the report');
  assert.deepEqual(
    world.reported.map(({ to, transactionUid, committed, failed }) => [
      to,
      transactionUid,
      committed.length,
      failed.length,
    ]),
    [['CT_1', '1.9', 1, 2]],
  );
  assert.equal(world.store.values.size, 0);
  await commitments.stop();
});

test('a request that cannot be written is not accepted, and is not reported either', async () => {
  const world = new World();
  const commitments = await world.started();
  world.store.write = () => Promise.reject(new AppError('STORE_FAILED', 'the disk is full'));
  await assert.rejects(commitments.accept(request('1.9')), { code: 'STORE_FAILED' });
  await settle();
  assert.deepEqual([commitments.waiting, world.tries], [0, []]);
  await commitments.stop();
});

test('a requestor that is away is tried again after growing pauses, with an alarm that ends with it', async () => {
  const world = new World();
  world.away.add('CT_1');
  const commitments = await world.started();
  await commitments.accept(request('1.9'));
  const due: number[] = [];
  for (const pause of [1_000, 2_000, 4_000]) {
    await until(() => world.tries.length === due.length + 1, 'a try');
    await settle();
    due.push(pause);
    world.clock.advance(pause - 1);
    await settle();
    assert.equal(world.tries.length, due.length, 'not before the pause is over');
    world.clock.advance(1);
  }
  await until(() => world.tries.length === 4, 'the fourth try');
  await settle();
  assert.deepEqual(world.alarms, ['COMMITMENT_UNDELIVERED CT_1']);
  world.away.clear();
  world.clock.advance(8_000);
  await until(() => commitments.waiting === 0, 'the report');
  assert.deepEqual(world.alarms, []);
  await commitments.stop();
});

test('one that is away holds up no other; its own are reported in order when it is back', async () => {
  const world = new World();
  world.away.add('CT_1');
  const commitments = await world.started();
  for (const uid of ['1.9.1', '1.9.2']) await commitments.accept(request(uid));
  await commitments.accept(request('1.9.3', 'MR_1'));
  await until(() => world.reported.length === 1, 'the other report');
  assert.equal(world.reported[0]?.to, 'MR_1');
  world.away.clear();
  // It asks again: that it is there ends the pause.
  await commitments.accept(request('1.9.1'));
  await until(() => commitments.waiting === 0, 'all reports');
  assert.deepEqual(
    world.reported.map(({ transactionUid }) => transactionUid),
    ['1.9.3', '1.9.1', '1.9.2'],
  );
  await commitments.stop();
});

test('a Transaction UID in use takes its own request again, in any order, and no other', async () => {
  const world = new World();
  world.away.add('CT_1');
  const before = await world.started();
  const asked = request('1.9');
  const shorter = { ...asked, instances: asked.instances.slice(0, 2) };
  const otherClass = {
    ...asked,
    instances: asked.instances.map(({ sopInstanceUid }) => ({ sopClassUid: mr, sopInstanceUid })),
  };
  assert.equal(await before.accept(asked), 'accepted');
  assert.equal(await before.accept(shorter), 'transaction in use');
  assert.equal(await before.accept(otherClass), 'transaction in use');
  assert.equal(await before.accept({ ...asked, instances: asked.instances.toReversed() }), 'accepted');
  assert.equal(await before.accept({ ...shorter, callingAeTitle: 'MR_1' }), 'accepted', 'of somebody else');
  await until(() => world.reported.length === 1, 'the report to the other');
  await before.stop();
  const after = await world.started();
  assert.equal(await after.accept(shorter), 'transaction in use', 'after a restart too');
  await until(() => world.tries.filter((tried) => tried === 'CT_1 1.9').length >= 2, 'a try');
  await settle();
  world.away.clear();
  assert.equal(await after.accept(asked), 'accepted');
  await until(() => after.waiting === 0, 'the report');
  assert.equal(world.reported.length, 2);
  assert.equal(await after.accept(shorter), 'accepted', 'what was reported is no longer in use');
  await until(() => after.waiting === 0, 'the report');
  await after.stop();
});

test('the same request while the first is being written: kept once, and accepted when it is on disk', async () => {
  const world = new World();
  world.away.add('CT_1');
  const commitments = await world.started();
  const write = world.store.write.bind(world.store);
  const writing = Promise.withResolvers<void>();
  world.store.write = async (changes) => {
    await writing.promise;
    await write(changes);
  };
  const answers: string[] = [];
  const both = [request('1.9'), request('1.9')].map(async (each) => {
    answers.push(await commitments.accept(each));
  });
  await settle();
  assert.deepEqual(answers, []);
  writing.resolve();
  await Promise.all(both);
  assert.deepEqual([answers, commitments.waiting], [['accepted', 'accepted'], 1]);
  await commitments.stop();
});

test('what waited when the box stopped is reported after its start, by what is held then', async () => {
  const world = new World();
  world.away.add('CT_1');
  const before = await world.started();
  await before.accept(request('1.9'));
  await until(() => world.tries.length === 1, 'a try');
  await before.stop();
  world.away.clear();
  world.held.set('1.2.2', ct);
  const after = await world.started();
  await until(() => world.reported.length === 1, 'the report');
  assert.equal(world.reported[0]?.committed.length, 2);
  await after.stop();
  assert.equal(world.store.values.size, 0);
});

test('given up after its time, with an alarm that stays', async () => {
  const world = new World();
  world.away.add('CT_1');
  const commitments = await world.started();
  await commitments.accept(request('1.9'));
  await until(() => world.tries.length === 1, 'a try');
  await settle();
  world.clock.advance(commitmentReportMsMax);
  await until(() => commitments.waiting === 0, 'the end');
  assert.equal(world.store.values.size, 0);
  assert.match(world.health.list()[0]?.detail ?? '', /^Given up after 72 hours/);
  await commitments.stop();
});

test('what waits is bounded in number and in objects', async () => {
  const world = new World();
  world.away.add('CT_1');
  const byObjects = await world.started({ commitmentsWaitingMax, commitmentInstancesWaitingMax: 7 });
  assert.equal(await byObjects.accept(request('1.9')), 'accepted');
  assert.equal(await byObjects.accept(request('1.10', 'MR_1')), 'accepted');
  assert.equal(await byObjects.accept(request('1.11')), 'full');
  await until(() => world.reported.length === 1, 'the report that can be delivered');
  await settle();
  assert.equal(await byObjects.accept(request('1.11')), 'accepted', 'what was delivered takes no room');
  await byObjects.stop();

  const byNumber = await world.started({ commitmentsWaitingMax: 2, commitmentInstancesWaitingMax });
  assert.equal(byNumber.waiting, 2);
  assert.equal(
    await byNumber.accept(request('1.9')),
    'accepted',
    'one that waits already takes no further room',
  );
  assert.equal(await byNumber.accept(request('1.12')), 'full');
  await byNumber.stop();
});

test('no UID of an object is logged', async () => {
  const world = new World();
  const commitments = await world.started();
  await commitments.accept(request('1.9'));
  await until(() => commitments.waiting === 0, 'the report');
  await commitments.stop();
  assert.ok(!world.logger.lines.join().includes('1.2.1'));
});
