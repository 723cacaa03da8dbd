/** Failures of a destination and of objects: who waits, who does not, and what is set aside. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../firmware/src/errors.ts';
import { objectsDeferredMax, objectTriesMax } from '../../firmware/src/forwarding/limits.ts';
import { retryFirstMs, retryLongestMs } from '../../firmware/src/retry/limits.ts';
import { ct, ForwardingScene } from '../support/forwarding-scene.ts';
import { settle, until } from '../support/until.ts';

const down = new AppError('DELIVERY_FAILED', 'PACS is not reachable');

for (const status of [0x0110, 0x0124, 0xa700, 0xa702, 0xfe00]) {
  test(`status 0x${status.toString(16)} may be over later: the object is tried again, others are not kept waiting`, async () => {
    const scene = new ForwardingScene();
    scene.pacs.statusOf = (uid) => (uid === '1.1.1' ? status : 0);
    await scene.start();
    const { study } = await scene.study({ classes: [ct, ct, ct] });
    await until(() => scene.pacs.uids.includes('1.1.2'), 'the last');
    await settle();
    assert.equal(scene.stateOf(study), 'failed');
    scene.clock.advance(retryFirstMs);
    await settle();
    assert.match(scene.healthOf('DELIVERY_FAILED') ?? '', /answered C-STORE with status/);
    scene.pacs.statusOf = () => 0xb000;
    scene.clock.advance(retryLongestMs);
    await scene.untilState(study, 'delivered');
    assert.deepEqual(scene.pacs.uids, ['1.1.0', '1.1.2', '1.1.1'], 'a warning is a success');
    assert.deepEqual(scene.health.list(), []);
    await scene.forwarding.stop();
  });
}

test('an object that breaks every association is set aside once others came through', async () => {
  const scene = new ForwardingScene();
  scene.pacs.statusOf = (uid) => {
    if (uid === '1.1.0') throw down;
    return 0;
  };
  await scene.start();
  const { study } = await scene.study();
  for (let tries = 0; tries < objectTriesMax + 2; tries++) {
    await settle();
    scene.clock.advance(retryLongestMs);
    await settle();
    assert.deepEqual(scene.forwarding.setAside(), [], 'nothing else was taken: it may be the destination');
  }
  for (let tries = 0; scene.forwarding.setAside().length === 0; tries++) {
    assert.ok(tries <= objectTriesMax);
    const { study: other } = await scene.study();
    await scene.untilState(other, 'delivered');
    scene.clock.advance(retryLongestMs);
    await settle();
  }
  assert.equal(scene.stateOf(study), 'failed');
  assert.equal(scene.healthOf('DELIVERY_FAILED'), undefined);
  await scene.forwarding.stop();
});

test('a clock that is set back holds up nothing', async () => {
  const scene = new ForwardingScene();
  scene.pacs.statusOf = (uid) => (uid === '1.1.0' ? 0xa700 : 0);
  await scene.start();
  const { study } = await scene.study();
  await settle();
  scene.pacs.onOpen = () => {
    throw down;
  };
  scene.pacs.hangUp();
  await scene.grow(study);
  await settle();
  scene.clock.setBack(24 * 3_600_000);
  scene.pacs.statusOf = () => 0;
  scene.pacs.onOpen = () => undefined;
  scene.clock.advance(retryLongestMs);
  await scene.untilState(study, 'delivered');
  await scene.forwarding.stop();
});

test('what cannot be read is known before a C-STORE is begun, and costs no association', async () => {
  const scene = new ForwardingScene();
  await scene.start();
  const gate = Promise.withResolvers<void>();
  scene.pacs.onOpen = () => gate.promise;
  const { study } = await scene.study({ classes: [ct, ct, ct] });
  await settle();
  const [, second] = study.objects;
  for (const { objects } of scene.disk.studies.values()) objects.delete(second?.fileRef ?? '');
  gate.resolve();
  await scene.untilState(study, 'failed');
  assert.deepEqual(scene.pacs.uids, ['1.1.0', '1.1.2']);
  assert.deepEqual([scene.pacs.proposals.length, scene.pacs.aborted], [1, 0]);
  await scene.forwarding.stop();
});

for (const [name, fail] of [
  ['a status', () => 0x0110],
  [
    'an abort',
    () => {
      throw down;
    },
  ],
] as const) {
  test(`forty objects on which a destination fails with ${name} hold up no other study, and end set aside`, async () => {
    const scene = new ForwardingScene();
    const bad = 40;
    scene.pacs.statusOf = (uid) => (uid.startsWith('1.1.') ? fail() : 0);
    await scene.start();
    await scene.study({ classes: Array.from({ length: bad }, () => ct) });
    const { study: good } = await scene.study({ classes: [ct, ct, ct] });
    await scene.untilState(good, 'delivered');
    const asideCount = (): number =>
      scene.forwarding.setAside().reduce((sum, { objects }) => sum + objects, 0);
    for (let minutes = 0; asideCount() < bad; minutes++) {
      assert.ok(minutes < 120, `${asideCount()} are set aside`);
      await scene.grow(good);
      await scene.untilState(good, 'delivered');
      scene.clock.advance(60_000);
      await settle();
    }
    assert.equal(scene.healthOf('DELIVERY_FAILED'), undefined, 'the destination is well');
    await scene.forwarding.stop();
  });
}

test('behind objects on which a destination fails, the others of the same study arrive although nothing else comes', async () => {
  const scene = new ForwardingScene();
  const bad = objectsDeferredMax + 4;
  scene.pacs.statusOf = (uid) => (Number(uid.split('.').at(-1)) < bad ? 0x0110 : 0);
  await scene.start();
  await scene.study({ classes: Array.from({ length: bad + 5 }, () => ct) });
  for (let minutes = 0; scene.pacs.stored.length < 5; minutes++) {
    assert.ok(minutes < 60);
    scene.clock.advance(60_000);
    await settle();
  }
  await scene.forwarding.stop();
});

test('studies that a destination takes nothing of hold up another for minutes, not for hours', async () => {
  const scene = new ForwardingScene();
  const bad = 10;
  scene.pacs.statusOf = (uid) => (uid.startsWith(`1.${bad + 1}.`) ? 0 : 0xa700);
  await scene.start();
  for (let studies = 0; studies < bad; studies++) await scene.study({ classes: [ct, ct] });
  const { study: good } = await scene.study({ classes: [ct, ct] });
  for (let seconds = 0; scene.stateOf(good) !== 'delivered'; seconds++) {
    assert.ok(seconds < bad * 60);
    scene.clock.advance(1_000);
    await settle();
  }
  await scene.forwarding.stop();
});

test('a destination that is full refuses no object: everything arrives when there is room', async () => {
  const scene = new ForwardingScene();
  scene.pacs.statusOf = () => 0xa700;
  await scene.start();
  const classes = Array.from({ length: 3 * objectsDeferredMax }, () => ct);
  const { study } = await scene.study({ classes });
  for (let hours = 0; hours < 40; hours++) {
    await settle();
    scene.clock.advance(retryLongestMs);
  }
  await settle();
  assert.deepEqual(scene.forwarding.setAside(), []);
  scene.pacs.statusOf = () => 0;
  for (let tries = 0; tries < 4; tries++) {
    scene.clock.advance(retryLongestMs);
    await settle();
  }
  await scene.untilState(study, 'delivered');
  assert.equal(new Set(scene.pacs.uids).size, classes.length);
  assert.equal(scene.pacs.uids.length, classes.length, 'and each once');
  await scene.forwarding.stop();
});
