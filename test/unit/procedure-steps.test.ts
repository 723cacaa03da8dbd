/** Performed procedure steps: their states, their record, what they say of a study, and how they are sent on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import type { DataSet, ProcedureStepMessage, RelayProcedureStep } from '../../firmware/src/ports.ts';
import { endedStepMsMax, openStepMsMax } from '../../firmware/src/workflow/limits.ts';
import { ProcedureSteps, type ProcedureStepLimits } from '../../firmware/src/workflow/procedure-steps.ts';
import { RelayQueue, type RelayQueueLimits } from '../../firmware/src/workflow/relay-queue.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { settle, until } from '../support/until.ts';

const study = '1.2.100';

const references = (uids: readonly string[]) => ({
  vr: 'SQ',
  values: uids.map((uid) => ({ '00081155': { vr: 'UI', values: [uid] } })),
});

interface Says {
  readonly state?: string;
  readonly studies?: readonly string[];
  readonly images?: readonly string[];
  readonly others?: readonly string[];
}

function dataSet({ state, studies, images, others }: Says): DataSet {
  return {
    '00100010': { vr: 'PN', values: ['Canary^Winifred'] },
    ...(state !== undefined && { '00400252': { vr: 'CS', values: [state] } }),
    ...(studies !== undefined && {
      '00400270': {
        vr: 'SQ',
        values: studies.map((uid) => ({ '0020000D': { vr: 'UI', values: [uid] } })),
      },
    }),
    ...((images !== undefined || others !== undefined) && {
      '00400340': {
        vr: 'SQ',
        values: [{ '00081140': references(images ?? []), '00400220': references(others ?? []) }],
      },
    }),
  };
}

const message = (kind: 'create' | 'set', sopInstanceUid: string, says: Says): ProcedureStepMessage => ({
  kind,
  callingAeTitle: 'CT_1',
  sopInstanceUid,
  transferSyntaxUid: '1.2.840.10008.1.2',
  dataSet: dataSet(says),
  dataSetBytes: utf8(`${kind} ${sopInstanceUid} ${says.state ?? ''}`),
});

const create = (uid: string, says: Says = {}): ProcedureStepMessage =>
  message('create', uid, { state: 'IN PROGRESS', studies: [study], ...says });
const complete = (uid: string, says: Says = {}): ProcedureStepMessage =>
  message('set', uid, { state: 'COMPLETED', ...says });

class World {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore();
  readonly health = new MemoryHealthBoard();
  readonly logger = new RecordingLogger();
  readonly destination = 'RIS';
  readonly sent: string[] = [];
  /** What the destination answers; undefined: it is not reached. */
  answer: number | undefined = 0;

  async steps(limits?: ProcedureStepLimits, relay?: RelayQueue): Promise<ProcedureSteps> {
    const steps = new ProcedureSteps({ ...this, relay, ...(limits !== undefined && { limits }) });
    await steps.load();
    return steps;
  }

  readonly send: RelayProcedureStep = async ({ dataSetBytes }) => {
    this.sent.push(Buffer.from(dataSetBytes).toString());
    if (this.answer === undefined) throw new AppError('DELIVERY_FAILED', 'RIS cannot be reached');
    return this.answer;
  };

  async relay(limits?: RelayQueueLimits): Promise<RelayQueue> {
    const relay = new RelayQueue({ ...this, ...(limits !== undefined && { limits }) });
    await relay.start();
    return relay;
  }
}

const held = (uids: readonly string[], studyInstanceUid = study) => ({
  studyInstanceUid,
  instanceCount: uids.length,
  holds: (uid: string) => uids.includes(uid),
});

test('a step is created in progress, changed, ended, and then never changed again', async () => {
  const steps = await new World().steps();
  const answers = [];
  for (const each of [
    complete('1.1'),
    message('create', '1.1', {}),
    message('create', '1.1', { state: 'COMPLETED' }),
    create('1.1'),
    create('1.1'),
    message('set', '1.1', {}),
    message('set', '1.1', { state: 'PAUSED' }),
    message('set', '1.1', { state: 'IN PROGRESS' }),
    message('set', '1.1', { state: 'DISCONTINUED' }),
    complete('1.1'),
    message('set', '1.1', {}),
  ])
    answers.push(await steps.take(each));
  assert.deepEqual(answers, [
    'unknown',
    'status missing',
    'status invalid',
    'done',
    'duplicate',
    'done',
    'status invalid',
    'done',
    'done',
    'ended',
    'ended',
  ]);
});

test('steps are on disk before they are answered, and the same after a restart', async () => {
  const world = new World();
  const before = await world.steps();
  await before.take(create('1.1'));
  await before.take(complete('1.1', { images: ['1.5.1'] }));
  await before.take(create('1.2', { studies: ['1.2.200'] }));
  const after = await world.steps();
  assert.equal(after.size, 2);
  assert.equal(await after.take(complete('1.1')), 'ended');
  assert.equal(await after.take(create('1.2')), 'duplicate');
  assert.equal(after.ofStudy(held(['1.5.1'])), 'complete');

  world.store.write = () => Promise.reject(new AppError('STORE_FAILED', 'the disk is full'));
  await assert.rejects(after.take(create('1.3')), { code: 'STORE_FAILED' });
  await assert.rejects(after.take(complete('1.2')), { code: 'STORE_FAILED' });
  assert.equal(after.size, 2);
  assert.equal(after.ofStudy(held([], '1.2.200')), 'in progress', 'what is not on disk did not happen');
});

test('a study is complete when all its steps ended and what they name is held, and nothing else', async () => {
  const steps = await new World().steps();
  const uids = ['1.5.1', '1.5.2', '1.5.3'];
  assert.equal(steps.ofStudy(held(uids)), 'unknown');
  await steps.take(create('1.1'));
  await steps.take(create('1.2'));
  assert.equal(steps.ofStudy(held(uids)), 'in progress');
  await steps.take(complete('1.1', { images: ['1.5.1', '1.5.2'] }));
  assert.equal(steps.ofStudy(held(uids)), 'in progress');
  await steps.take(message('set', '1.2', { state: 'DISCONTINUED', others: ['1.5.3'] }));
  assert.equal(steps.ofStudy(held(uids)), 'complete');
  assert.equal(steps.ofStudy(held(uids.slice(1))), 'unknown', 'one has not come yet');
  assert.equal(steps.ofStudy(held([...uids, '1.5.4'])), 'unknown', 'one that no step names');
  assert.equal(steps.ofStudy(held(['1.5.1', '1.5.2', '1.5.9'])), 'unknown');
  assert.equal(steps.ofStudy(held(uids, '1.2.200')), 'unknown', 'another study');
});

test('a step of several studies, or one that names nothing, does not say when one of them is complete', async () => {
  const steps = await new World().steps();
  await steps.take(create('1.1', { studies: [study, '1.2.200'] }));
  assert.equal(steps.ofStudy(held(['1.5.1'])), 'in progress');
  await steps.take(complete('1.1', { images: ['1.5.1'] }));
  assert.equal(steps.ofStudy(held(['1.5.1'])), 'unknown');
  await steps.take(create('1.2', { studies: ['1.2.300'] }));
  await steps.take(complete('1.2'));
  assert.equal(steps.ofStudy(held([], '1.2.300')), 'unknown');
});

test('listeners hear of the studies of a step', async () => {
  const steps = await new World().steps();
  const heard: string[] = [];
  const unsubscribe = steps.onChange((uid) => heard.push(uid));
  await steps.take(create('1.1', { studies: [study, '1.2.200'] }));
  await steps.take(complete('1.1', { studies: ['1.2.200'] }));
  await steps.take(complete('1.1'));
  unsubscribe();
  await steps.take(create('1.2'));
  assert.deepEqual(heard, [study, '1.2.200', '1.2.200']);
});

test('steps are forgotten after their time, and the oldest ended ones when there are too many', async () => {
  const world = new World();
  const limits = { procedureStepsMax: 3, procedureStepInstancesMax: 100 };
  const steps = await world.steps(limits);
  await steps.take(create('1.1'));
  await steps.take(create('1.2'));
  await steps.take(create('1.3'));
  assert.equal(await steps.take(create('1.4')), 'full', 'steps in progress are not forgotten for others');
  world.clock.advance(1);
  await steps.take(complete('1.2'));
  assert.equal(await steps.take(create('1.4')), 'done');
  assert.equal(await steps.take(complete('1.2')), 'unknown', 'the ended one made room');
  assert.deepEqual([steps.size, world.store.values.size], [3, 3]);

  await steps.take(complete('1.1'));
  world.clock.advance(endedStepMsMax + 1);
  await steps.take(message('set', '1.3', {}));
  assert.equal(await steps.take(complete('1.1')), 'unknown', 'ended a week ago');
  world.clock.advance(openStepMsMax + 1);
  assert.equal(await steps.take(message('set', '1.3', {})), 'done', 'late, but nobody has forgotten it yet');
  assert.deepEqual([steps.size, world.store.values.size], [1, 1], '1.4 was never ended');
  assert.equal((await world.steps(limits)).size, 1);
});

test('steps beyond the room for their objects are remembered, and do not say when a study is complete', async () => {
  const world = new World();
  const limits = { procedureStepsMax: 10, procedureStepInstancesMax: 2 };
  const steps = await world.steps(limits);
  await steps.take(create('1.1'));
  await steps.take(message('set', '1.1', { images: ['1.5.1', '1.5.2', '1.5.3'] }));
  await steps.take(complete('1.1'));
  assert.equal(steps.ofStudy(held(['1.5.1', '1.5.2', '1.5.3'])), 'unknown');
  // Its record is whole: with room for it, it speaks again.
  assert.equal((await world.steps()).ofStudy(held(['1.5.1', '1.5.2', '1.5.3'])), 'complete');
});

test('messages are sent on in order, as they came, and not before their step is on disk', async () => {
  const world = new World();
  const relay = await world.relay();
  const steps = await world.steps(undefined, relay);
  const write = world.store.write.bind(world.store);
  const writing = Promise.withResolvers<void>();
  world.store.write = async (changes) => {
    await writing.promise;
    await write(changes);
  };
  const taken = [steps.take(create('1.1')), steps.take(create('1.2')), steps.take(complete('1.1'))];
  await settle();
  assert.deepEqual(world.sent, []);
  writing.resolve();
  assert.deepEqual(await Promise.all(taken), ['done', 'done', 'done']);
  assert.equal(await steps.take(create('1.2')), 'duplicate', 'what is refused here is not sent on');
  await until(() => relay.size === 0, 'all to be sent');
  assert.deepEqual(world.sent, ['create 1.1 IN PROGRESS', 'create 1.2 IN PROGRESS', 'set 1.1 COMPLETED']);
  assert.equal([...world.store.values.keys()].filter((key) => key.includes('relay')).length, 0);
  await relay.stop();
});

test('a destination that is away is tried again, over restarts, with an alarm that ends with it', async () => {
  const world = new World();
  world.answer = undefined;
  const relay = await world.relay();
  const steps = await world.steps(undefined, relay);
  await steps.take(create('1.1'));
  await steps.take(complete('1.1'));
  await until(() => world.sent.length === 1, 'a try');
  await settle();
  assert.deepEqual(
    world.health.list().map(({ code, subject }) => [code, subject]),
    [['DELIVERY_FAILED', 'procedure steps to RIS']],
  );
  world.clock.advance(1_000);
  await until(() => world.sent.length === 2, 'the second try');
  await settle();
  await relay.stop();
  world.answer = 0;
  const after = await world.relay();
  await until(() => after.size === 0, 'all to be sent');
  assert.deepEqual(world.sent.slice(2), ['create 1.1 IN PROGRESS', 'set 1.1 COMPLETED']);
  assert.deepEqual(world.health.list(), []);
  await after.stop();
});

test('what the destination refuses is told and holds up nothing; a create that it has already is taken', async () => {
  const world = new World();
  const relay = await world.relay();
  const steps = await world.steps(undefined, relay);
  world.answer = 0x0111;
  await steps.take(create('1.1'));
  await until(() => relay.size === 0, 'the create to be sent');
  assert.deepEqual(world.health.list(), []);
  world.answer = 0x0110;
  await steps.take(complete('1.1'));
  await until(() => relay.size === 0, 'the set to be sent');
  assert.match(world.health.list()[0]?.detail ?? '', /N-SET .* 0x0110/);
  world.answer = 0;
  await steps.take(create('1.2'));
  await until(() => relay.size === 0, 'the next to be sent');
  assert.deepEqual(world.health.list(), []);
  await relay.stop();
});

test('what waits to be sent on is bounded: then a message is refused, not lost', async () => {
  const world = new World();
  world.answer = undefined;
  for (const limits of [
    { relayMessagesWaitingMax: 1, relayBytesWaitingMax: 1_000_000 },
    { relayMessagesWaitingMax: 100, relayBytesWaitingMax: 200 },
  ]) {
    world.store.values.clear();
    const relay = await world.relay(limits);
    const steps = await world.steps(undefined, relay);
    assert.equal(await steps.take(create('1.1')), 'done');
    assert.equal(await steps.take(create('1.2')), 'full');
    assert.equal(steps.size, 1);
    const write = world.store.write.bind(world.store);
    await relay.stop();
    // One whose write failed takes no room.
    const second = await world.relay({ relayMessagesWaitingMax: 2, relayBytesWaitingMax: 1_000_000 });
    const stepsThen = await world.steps(undefined, second);
    world.store.write = () => Promise.reject(new AppError('STORE_FAILED', 'the disk is full'));
    await assert.rejects(stepsThen.take(create('1.2')), { code: 'STORE_FAILED' });
    world.store.write = write;
    assert.equal(await stepsThen.take(create('1.2')), 'done');
    await second.stop();
  }
});

test('no name and no UID of an object is logged', async () => {
  const world = new World();
  const steps = await world.steps();
  await steps.take(create('1.1'));
  await steps.take(complete('1.1', { images: ['1.5.1'] }));
  assert.ok(!/Canary|1\.5\.1/.test(world.logger.lines.join()));
});
