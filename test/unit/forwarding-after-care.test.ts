/** What follows a complete study: notification of its availability, storage commitment, and what the answers change. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../firmware/src/errors.ts';
import {
  commitmentAnswerMsMax,
  commitmentFailuresMax,
  commitmentRetryMs,
  instancesPerCommitmentMax,
} from '../../firmware/src/forwarding/limits.ts';
import { retryFirstMs } from '../../firmware/src/retry/limits.ts';
import { ct, ForwardingScene, quietMs } from '../support/forwarding-scene.ts';
import { settle, until } from '../support/until.ts';

const denial = 0x0112;

class CareScene extends ForwardingScene {
  /** Quiet passes, and whatever is due then happens. */
  async quiet(ms = quietMs): Promise<void> {
    await settle();
    this.clock.advance(ms);
    await settle();
  }

  get asked(): readonly string[] {
    return this.workflow.commitments.flatMap(({ instances }) => instances.map((each) => each.sopInstanceUid));
  }

  /** The destination answers its last request; of all objects but these it keeps what it was sent. */
  async answers(denied: readonly string[] = [], request = this.workflow.commitments.at(-1)): Promise<void> {
    assert.ok(request !== undefined);
    const isDenied = (uid: string): boolean => denied.includes(uid);
    await this.forwarding.takeCommitment({
      transactionUid: request.transactionUid,
      committed: request.instances.filter(({ sopInstanceUid }) => !isDenied(sopInstanceUid)),
      failed: request.instances
        .filter(({ sopInstanceUid }) => isDenied(sopInstanceUid))
        .map((instance) => ({ ...instance, failureReason: denial })),
    });
    await settle();
  }
}

async function begun(part: { readonly notify?: boolean; readonly commitment?: boolean }): Promise<CareScene> {
  const scene = new CareScene();
  await scene.start(scene.destination(part));
  return scene;
}

test('a destination is told of a complete study once: what it holds, where it is retrieved', async () => {
  const scene = await begun({ notify: true });
  const { study } = await scene.study({ classes: [ct, ct] });
  await scene.untilState(study, 'delivered');
  await scene.quiet(quietMs - 1);
  assert.deepEqual(scene.workflow.notifications, [], 'not while it may grow');
  await scene.grow(study);
  await scene.quiet(quietMs - 1);
  assert.deepEqual(scene.workflow.notifications, []);
  await scene.quiet(1);
  const instance = { sopClassUid: ct, availability: 'ONLINE', retrieveAeTitle: 'HILUM' };
  const instances = ['1.1.0', '1.1.1', '1.1.2'].map((sopInstanceUid) => ({ ...instance, sopInstanceUid }));
  assert.deepEqual(scene.workflow.notifications, [
    { studyInstanceUid: '1.1', series: [{ seriesInstanceUid: '1', instances }] },
  ]);
  await scene.quiet(10 * quietMs);
  await scene.forwarding.stop();
  await scene.restart();
  await scene.quiet(10 * quietMs);
  assert.equal(scene.workflow.notifications.length, 1);
  await scene.grow(study);
  await scene.quiet();
  assert.deepEqual(scene.workflow.commitments, [], 'and was not asked for what it does not do');
  await scene.forwarding.stop();
});

test('a late object is told of again, and what a stopped box owed is told after its start', async () => {
  const scene = await begun({ notify: true });
  const { study } = await scene.study();
  await scene.untilState(study, 'delivered');
  await scene.quiet();
  await scene.grow(study);
  await settle();
  await scene.forwarding.stop();
  await scene.restart();
  await scene.quiet();
  assert.equal(scene.workflow.notifications.length, 2);
  assert.equal(scene.workflow.notifications[1]?.series[0]?.instances.length, 2);
  await scene.forwarding.stop();
});

test('a destination is not told of a study while it has not got all of it', async () => {
  const scene = await begun({ notify: true, commitment: true });
  scene.pacs.statusOf = (uid) => (uid === '1.1.1' ? 0xa700 : 0);
  const { study } = await scene.study({ classes: [ct, ct] });
  await until(() => scene.pacs.uids.length === 1, 'the other');
  await scene.grow(study);
  await scene.quiet();
  await scene.quiet(2 * quietMs);
  assert.deepEqual([scene.workflow.notifications.length, scene.workflow.commitments.length], [0, 0]);
  scene.pacs.statusOf = () => 0;
  await scene.quiet(5 * quietMs);
  await scene.quiet();
  assert.equal(scene.workflow.notifications.length, 1);
  assert.equal(scene.asked.length, 3);
  await scene.forwarding.stop();
});

test('a destination that cannot be told is told later; objects do not wait for that', async () => {
  const scene = await begun({ notify: true });
  scene.workflow.answer = () => {
    throw new AppError('DELIVERY_FAILED', 'PACS is not reachable');
  };
  const { study } = await scene.study();
  await scene.untilState(study, 'delivered');
  await scene.quiet();
  const { study: other } = await scene.study();
  await scene.untilState(other, 'delivered');
  scene.workflow.answer = () => 0x0110;
  await scene.quiet(retryFirstMs);
  assert.equal(scene.workflow.notifications.length, 0, 'refused');
  scene.workflow.answer = () => 0;
  await scene.quiet(4 * retryFirstMs);
  assert.equal(scene.workflow.notifications[0]?.studyInstanceUid, '1.1');
  await scene.forwarding.stop();
});

test('a fault of this box in telling costs a pause, and ends nothing', async () => {
  const scene = await begun({ notify: true });
  scene.workflow.answer = () => {
    throw new TypeError('of no kind that is expected');
  };
  const { study } = await scene.study();
  await scene.untilState(study, 'delivered');
  await scene.quiet();
  scene.workflow.answer = () => 0;
  await scene.quiet(retryFirstMs);
  assert.equal(scene.workflow.notifications.length, 1);
  await scene.forwarding.stop();
});

test('a destination that was given everything is asked to commit to it, and that is the end of it', async () => {
  const scene = await begun({ commitment: true });
  const { study } = await scene.study({ classes: [ct, ct] });
  await scene.untilState(study, 'delivered');
  await scene.quiet();
  assert.deepEqual(scene.asked, ['1.1.0', '1.1.1']);
  await scene.answers();
  await scene.quiet(2 * commitmentAnswerMsMax);
  assert.equal(scene.workflow.commitments.length, 1);
  assert.deepEqual(scene.health.list(), []);
  assert.deepEqual(
    [...scene.store.values.keys()].filter((key) => key.includes('commitment')),
    [],
  );
  await scene.answers([], scene.workflow.commitments[0]);
  assert.equal(scene.pacs.uids.length, 2, 'a result that comes twice changes nothing');
  await scene.forwarding.stop();
});

test('a commitment that is answered before the response to its request is no alarm a day later', async () => {
  const scene = await begun({ commitment: true });
  const ask = scene.workflow.askCommitment.bind(scene.workflow);
  scene.workflow.askCommitment = async (request) => {
    const status = await ask(request);
    await scene.answers([], request);
    return status;
  };
  const { study } = await scene.study({ classes: [ct, ct] });
  await scene.untilState(study, 'delivered');
  await scene.quiet();
  assert.deepEqual(scene.asked, ['1.1.0', '1.1.1']);
  await scene.quiet(2 * commitmentAnswerMsMax);
  assert.equal(scene.workflow.commitments.length, 1);
  assert.deepEqual(scene.health.list(), []);
  await scene.forwarding.stop();
});

test('what it does not commit to is an alarm, is sent again, and asked for again', async () => {
  const scene = await begun({ commitment: true });
  const { study } = await scene.study({ classes: [ct, ct, ct] });
  await scene.untilState(study, 'delivered');
  await scene.quiet();
  await scene.answers(['1.1.1']);
  assert.deepEqual(scene.pacs.uids, ['1.1.0', '1.1.1', '1.1.2', '1.1.1']);
  assert.match(scene.healthOf('COMMITMENT_FAILED') ?? '', /1/);
  await scene.quiet();
  assert.equal(scene.workflow.commitments.length, 1, 'the archive has some minutes');
  await scene.quiet(commitmentRetryMs);
  assert.deepEqual(
    scene.workflow.commitments.at(-1)?.instances.map(({ sopInstanceUid }) => sopInstanceUid),
    ['1.1.1', '1.1.2'],
  );
  await scene.answers();
  assert.deepEqual(scene.health.list(), []);
  await scene.forwarding.stop();
});

test('a result that does not name an object denies it', async () => {
  const scene = await begun({ commitment: true });
  const { study } = await scene.study({ classes: [ct, ct] });
  await scene.untilState(study, 'delivered');
  await scene.quiet();
  const [request] = scene.workflow.commitments;
  assert.ok(request !== undefined);
  const { transactionUid, instances } = request;
  const uuid = BigInt(transactionUid.replace(/^2\.25\./, ''))
    .toString(16)
    .padStart(32, '0');
  assert.match(uuid, /^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/, 'a UUID, as PS3.5 B.2 has it');
  await scene.forwarding.takeCommitment({ transactionUid, committed: instances.slice(0, 1), failed: [] });
  await settle();
  assert.deepEqual(scene.pacs.uids, ['1.1.0', '1.1.1', '1.1.1']);
  await scene.forwarding.stop();
});

test('what is denied again and again is set aside with the reason, until an admin has it sent again', async () => {
  const scene = await begun({ commitment: true });
  const { study } = await scene.study({ classes: [ct, ct] });
  await scene.untilState(study, 'delivered');
  await scene.quiet();
  for (let results = 1; results <= commitmentFailuresMax + 1; results++) {
    assert.equal(scene.workflow.commitments.length, results);
    assert.deepEqual(scene.forwarding.setAside(), []);
    await scene.answers(['1.1.1']);
    await scene.quiet(commitmentRetryMs);
  }
  assert.equal(
    scene.forwarding.setAside()[0]?.reason,
    'PACS does not commit to keep it (failure reason 0x0112)',
  );
  assert.equal(scene.stateOf(study), 'failed');
  const before = scene.workflow.commitments.length;
  await scene.quiet(10 * commitmentRetryMs);
  assert.equal(scene.workflow.commitments.length, before);
  scene.forwarding.resend('pacs', { kind: 'set aside' });
  await scene.quiet(commitmentRetryMs);
  await scene.answers();
  assert.equal(scene.workflow.commitments.length, before + 1);
  assert.deepEqual(scene.health.list(), []);
  await scene.forwarding.stop();
});

test('what an admin gave up on is neither asked for nor sent again, after a restart either, until the study is', async () => {
  const scene = await begun({ commitment: true });
  scene.pacs.statusOf = (uid) => (uid === '1.1.1' ? 0xa900 : 0);
  const { study } = await scene.study({ classes: [ct, ct, ct] });
  await scene.untilState(study, 'failed');
  assert.equal(scene.forwarding.dropSetAside('pacs', study.ref), 1);
  await scene.forwarding.stop();
  await scene.restart();
  await scene.quiet();
  assert.deepEqual(scene.asked, ['1.1.0', '1.1.2']);
  await scene.answers();
  assert.deepEqual([scene.pacs.uids, scene.health.list()], [['1.1.0', '1.1.2'], []]);
  scene.pacs.statusOf = () => 0;
  assert.equal(scene.forwarding.resend('pacs', { kind: 'study', studyRef: study.ref }), 3);
  await scene.untilState(study, 'delivered');
  await scene.quiet();
  assert.deepEqual(scene.asked.slice(2), ['1.1.0', '1.1.1', '1.1.2']);
  await scene.forwarding.stop();
});

test('a commitment that is not answered is an alarm and is asked for again, after a restart too', async () => {
  const scene = await begun({ commitment: true });
  const { study } = await scene.study();
  await scene.untilState(study, 'delivered');
  await scene.quiet();
  await scene.forwarding.stop();
  await scene.restart();
  await scene.quiet(commitmentAnswerMsMax - quietMs);
  assert.equal(scene.workflow.commitments.length, 1);
  await scene.quiet(quietMs);
  assert.equal(scene.workflow.commitments.length, 2);
  assert.match(scene.healthOf('COMMITMENT_FAILED') ?? '', /not answered/);
  await scene.answers([], scene.workflow.commitments[0]);
  assert.match(scene.healthOf('COMMITMENT_FAILED') ?? '', /not answered/, 'the old transaction is over');
  await scene.answers();
  assert.deepEqual(scene.health.list(), []);
  assert.equal(scene.pacs.uids.length, 1, 'nothing was sent again for that');
  await scene.forwarding.stop();
});

test('a refused request is repeated later, and leaves nothing behind', async () => {
  const scene = await begun({ commitment: true });
  scene.workflow.answer = () => 0x0213;
  const { study } = await scene.study();
  await scene.untilState(study, 'delivered');
  await scene.quiet();
  assert.deepEqual(
    [...scene.store.values.keys()].filter((key) => key.includes('commitment')),
    [],
  );
  scene.workflow.answer = () => 0;
  await scene.quiet(retryFirstMs);
  await until(() => scene.asked.length === 1, 'the request');
  await scene.forwarding.stop();
});

test('a large study is asked for in several transactions, and only of what the destination took', async () => {
  const scene = await begun({ commitment: true });
  scene.pacs.statusOf = (uid) => (uid === '1.1.7' ? 0xc000 : 0);
  const classes = Array.from({ length: instancesPerCommitmentMax + 10 }, () => ct);
  await scene.study({ classes });
  await until(() => scene.pacs.uids.length === classes.length - 1, 'all but one');
  await scene.quiet();
  await until(() => scene.workflow.commitments.length === 2, 'two transactions');
  assert.equal(scene.asked.length, classes.length - 1);
  assert.ok(!scene.asked.includes('1.1.7'));
  await scene.forwarding.stop();
});
