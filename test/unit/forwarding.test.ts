/** Forwarding: in the end everything arrives, each destination at its own pace, and nothing waits for what is refused. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { AppError } from '../../firmware/src/errors.ts';
import {
  associationIdleMs,
  contextsPerAssociationMax,
  entryFlushMs,
} from '../../firmware/src/forwarding/limits.ts';
import { chunkBytes } from '../../firmware/src/protocol/limits.ts';
import { retryFirstMs, retryLongestMs } from '../../firmware/src/retry/limits.ts';
import { retryPauseMs } from '../../firmware/src/retry/pause.ts';
import { ct, FakeScu, ForwardingScene } from '../support/forwarding-scene.ts';
import { settle, until } from '../support/until.ts';

const down = new AppError('DELIVERY_FAILED', 'PACS is not reachable');
const refused = '1.9';

test('pauses double from the first to the longest and never pass it', () => {
  assert.deepEqual(
    [0, 1, 2, 3].map(retryPauseMs),
    [1, 2, 4, 8].map((n) => n * retryFirstMs),
  );
  assert.equal(retryPauseMs(20), retryLongestMs);
  assert.equal(retryPauseMs(100_000), retryLongestMs);
});

test('each object goes on as soon as it is kept, as it was received, over one association', async () => {
  const scene = new ForwardingScene();
  await scene.start();
  const bodies = [randomBytes(20), randomBytes(2 * chunkBytes), randomBytes(1)];
  const { study } = await scene.study({ classes: [ct, ct, ct], bodies });
  await scene.untilState(study, 'delivered');
  assert.deepEqual(scene.pacs.uids, ['1.1.0', '1.1.1', '1.1.2']);
  assert.ok(scene.pacs.stored.every(({ dataSet }, index) => dataSet.equals(bodies[index] as Buffer)));
  assert.deepEqual(scene.coercions, [], 'what modalities sent is not changed');
  await scene.grow(study);
  await scene.untilState(study, 'delivered');
  assert.equal(scene.pacs.proposals.length, 1);
  assert.equal(scene.pacs.released, 0, 'kept open for what comes next');
  scene.clock.advance(associationIdleMs);
  await settle();
  assert.equal(scene.pacs.released, 1);
  await scene.grow(study);
  await until(() => scene.pacs.uids.length === 5, 'the last');
  assert.equal(scene.pacs.proposals.length, 2);
  await scene.forwarding.stop();
});

test('an association that the peer closed while it was idle costs no failure', async () => {
  const scene = new ForwardingScene();
  await scene.start();
  const { study } = await scene.study();
  await scene.untilState(study, 'delivered');
  scene.pacs.hangUp();
  await scene.grow(study);
  await until(() => scene.pacs.uids.length === 2, 'the second');
  let breaks = 1;
  scene.pacs.statusOf = () => {
    if (breaks-- > 0) throw down;
    return 0;
  };
  await scene.grow(study);
  await until(() => scene.pacs.uids.length === 3, 'the third');
  assert.equal(scene.stateOf(study), 'delivered');
  assert.deepEqual(scene.health.list(), []);
  await scene.forwarding.stop();
});

test('a destination that is down is tried again after ever longer pauses, with an alarm, until it takes everything', async () => {
  const scene = new ForwardingScene();
  scene.pacs.onOpen = () => {
    throw down;
  };
  await scene.start();
  const { study } = await scene.study({ classes: [ct, ct] });
  await scene.untilState(study, 'failed');
  for (let failures = 0; failures < 12; failures++) {
    assert.equal(scene.pacs.proposals.length, failures + 1);
    const pause = retryPauseMs(failures);
    scene.clock.advance(pause - 1);
    await scene.grow(study);
    await settle();
    assert.equal(scene.pacs.proposals.length, failures + 1, 'not before the pause is over');
    scene.clock.advance(1);
    await settle();
  }
  assert.equal(scene.healthOf('DELIVERY_FAILED'), down.message);
  assert.equal(scene.forwarding.destinations()[0]?.state, 'failing');
  assert.deepEqual(scene.forwarding.destinations()[0]?.waiting, { studies: 1, objects: 14 });
  scene.pacs.onOpen = () => undefined;
  scene.clock.advance(retryLongestMs);
  await scene.untilState(study, 'delivered');
  assert.equal(scene.pacs.stored.length, 14);
  assert.deepEqual(scene.health.list(), []);
  assert.equal(scene.forwarding.destinations()[0]?.state, 'ready');
  await scene.forwarding.stop();
});

test('a dead destination and one that never answers hold up neither the others nor reception', async () => {
  const scene = new ForwardingScene();
  const [dead, hanging] = [new FakeScu(), new FakeScu()];
  dead.onOpen = () => {
    throw down;
  };
  hanging.statusOf = () => new Promise(() => undefined);
  await scene.start(
    scene.destination({ name: 'dead', scu: dead }),
    scene.destination({ name: 'hanging', scu: hanging }),
    scene.destination({}),
  );
  for (let i = 0; i < 20; i++) {
    const { study } = await scene.study({ classes: [ct, ct] });
    await scene.untilState(study, 'delivered');
    assert.equal(scene.stateOf(study, 'dead'), 'failed');
    assert.equal(scene.stateOf(study, 'hanging'), 'waiting');
  }
  assert.equal(scene.pacs.stored.length, 40);
  void scene.forwarding.stop();
});

test('what a destination refuses is set aside with its reason, and later objects of its study go on', async () => {
  const scene = new ForwardingScene();
  scene.pacs.refuses = ({ sopClassUid }) => sopClassUid === refused;
  scene.pacs.statusOf = (uid) => (uid === '1.1.3' ? 0xa900 : 0);
  await scene.start();
  const { study } = await scene.study({ classes: [ct, refused, refused, ct, ct] });
  await until(() => scene.pacs.uids.includes('1.1.4'), 'the last');
  await settle();
  assert.deepEqual(scene.pacs.uids, ['1.1.0', '1.1.4']);
  assert.equal(scene.stateOf(study), 'failed');
  assert.deepEqual(
    scene.forwarding.setAside().map(({ objects, reason }) => [objects, reason]),
    [
      [2, 'PACS accepts no 1.9 in transfer syntax 1.2.840.10008.1.2.1'],
      [1, 'PACS answered C-STORE with status 0xA900'],
    ],
  );
  assert.match(scene.healthOf('OBJECTS_SET_ASIDE') ?? '', /3/);
  assert.equal(scene.healthOf('DELIVERY_FAILED'), undefined, 'the destination is well');
  scene.clock.advance(retryLongestMs);
  await settle();
  assert.equal(scene.pacs.uids.length, 2, 'not tried again by itself');
  await scene.forwarding.stop();
  await scene.restart();
  assert.equal(scene.forwarding.setAside().length, 2, 'known after a restart');
  assert.match(scene.healthOf('OBJECTS_SET_ASIDE') ?? '', /3/);
  scene.pacs.refuses = () => false;
  scene.pacs.statusOf = () => 0;
  assert.equal(scene.forwarding.resend('pacs', { kind: 'set aside', studyRef: study.ref }), 3);
  await scene.untilState(study, 'delivered');
  assert.deepEqual(scene.pacs.uids.toSorted(), ['1.1.0', '1.1.1', '1.1.2', '1.1.3', '1.1.4']);
  assert.deepEqual(scene.health.list(), []);
  await scene.forwarding.stop();
});

test('an admin may give up on what was set aside', async () => {
  const scene = new ForwardingScene();
  scene.pacs.statusOf = () => 0xc000;
  await scene.start();
  const { study } = await scene.study();
  await scene.untilState(study, 'failed');
  assert.equal(scene.forwarding.dropSetAside('elsewhere', study.ref), undefined);
  assert.equal(scene.forwarding.dropSetAside('pacs', study.ref), 1);
  assert.deepEqual(scene.health.list(), []);
  assert.deepEqual(scene.forwarding.setAside(), []);
  await scene.forwarding.stop();
});

test('a new study is sent at once, however long the pause of a failing object has become', async () => {
  const scene = new ForwardingScene();
  scene.pacs.statusOf = (uid) => (uid === '1.1.0' ? 0xa700 : 0);
  await scene.start();
  await scene.study();
  for (let i = 0; i < 12; i++) {
    await settle();
    scene.clock.advance(retryLongestMs);
  }
  await settle();
  scene.clock.advance(retryFirstMs);
  const { study: urgent } = await scene.study();
  await scene.untilState(urgent, 'delivered');
  await scene.forwarding.stop();
});

test('after a restart it goes on where it was; what is known on disk is not sent again', async () => {
  const scene = new ForwardingScene();
  scene.pacs.statusOf = (uid) => {
    if (uid === '1.1.2') throw down;
    return 0;
  };
  await scene.start();
  const { study } = await scene.study({ classes: [ct, ct, ct, ct] });
  await until(() => scene.pacs.uids.length === 3, 'all others');
  await scene.forwarding.stop();
  // Came while nothing ran: the manifest itself is the queue.
  await scene.grow(study);
  scene.pacs.statusOf = () => 0;
  await scene.restart();
  await until(() => scene.pacs.uids.length === 5, 'the rest');
  assert.deepEqual(scene.pacs.uids.toSorted(), ['1.1.0', '1.1.1', '1.1.2', '1.1.3', '1.1.4']);
  await scene.forwarding.stop();
  await scene.restart();
  await settle();
  assert.equal(scene.pacs.stored.length, 5, 'what was taken stays so');
  await scene.forwarding.stop();
});

test('after a power cut only what was not yet written is sent again, and nothing is missing', async () => {
  const scene = new ForwardingScene();
  await scene.start();
  const { study } = await scene.study({ classes: [ct, ct] });
  await scene.untilState(study, 'delivered');
  assert.equal(scene.store.values.size, 1, 'an object costs no write of its own');
  scene.clock.advance(entryFlushMs);
  await settle();
  await scene.grow(study);
  await until(() => scene.pacs.uids.length === 3, 'the third');
  // No stop: the process is gone.
  await scene.restart();
  await until(() => scene.pacs.uids.length === 4, 'the third again');
  await settle();
  assert.deepEqual(scene.pacs.uids, ['1.1.0', '1.1.1', '1.1.2', '1.1.2']);
  await scene.forwarding.stop();
});

test('a stop in the middle of an object is no failure of the destination', async () => {
  const scene = new ForwardingScene();
  const { promise, reject } = Promise.withResolvers<number>();
  scene.pacs.statusOf = () => promise;
  await scene.start();
  const { study } = await scene.study();
  await until(() => scene.pacs.proposals.length === 1, 'the association');
  await settle();
  const stopped = scene.forwarding.stop();
  reject(new AppError('DELIVERY_FAILED', 'aborted'));
  await stopped;
  assert.deepEqual(scene.health.list(), []);
  assert.equal(scene.stateOf(study), 'waiting');
});

test('a new destination gets what comes from now on, and the past when an admin says so', async () => {
  const scene = new ForwardingScene();
  const { study: old } = await scene.study({ classes: [ct, ct] });
  scene.clock.advance(60_000);
  const since = scene.clock.now();
  const { study: recent } = await scene.study();
  await scene.start();
  const { study: fresh } = await scene.study();
  await scene.untilState(fresh, 'delivered');
  assert.deepEqual(scene.pacs.uids, ['1.3.0']);
  assert.equal(scene.stateOf(old), undefined);
  await scene.grow(old);
  await until(() => scene.pacs.uids.includes('1.1.2'), 'what is new of an old study');
  assert.equal(scene.forwarding.resend('pacs', { kind: 'since', since }), 3);
  await scene.untilState(recent, 'delivered');
  await settle();
  assert.deepEqual(scene.pacs.uids.toSorted(), ['1.1.2', '1.1.2', '1.2.0', '1.3.0', '1.3.0']);
  assert.equal(scene.forwarding.resend('pacs', { kind: 'study', studyRef: old.ref }), 3);
  await until(() => scene.pacs.uids.includes('1.1.0'), 'the old study');
  assert.equal(scene.forwarding.resend('elsewhere', { kind: 'study', studyRef: old.ref }), undefined);
  await scene.forwarding.stop();
});

test('a destination that was taken away and is put back begins anew', async () => {
  const scene = new ForwardingScene();
  await scene.start();
  await scene.forwarding.stop();
  scene.destinations = [];
  await scene.restart();
  await scene.study();
  await scene.forwarding.stop();
  scene.destinations = [scene.destination({})];
  await scene.restart();
  await settle();
  assert.deepEqual(scene.pacs.uids, []);
  await scene.forwarding.stop();
});

test('nothing goes in circles: neither what the destination sent itself nor what it routed back', async () => {
  const scene = new ForwardingScene();
  const archive = new FakeScu();
  await scene.start(
    scene.destination({ sendsAs: ['PACS', 'PACS_ROUTER'] }),
    scene.destination({ name: 'archive', aeTitle: 'ARCHIVE', sendsAs: ['ARCHIVE'], scu: archive }),
  );
  await scene.study({ callingAeTitle: 'PACS' });
  await scene.study({ callingAeTitle: 'PACS_ROUTER' });
  await scene.study({ origin: 'returned', callingAeTitle: 'PACS' });
  const { study } = await scene.study();
  await scene.untilState(study, 'delivered');
  await until(() => archive.uids.length === 3, 'the archive');
  assert.deepEqual(scene.pacs.uids, ['1.4.0']);
  assert.deepEqual(archive.uids.toSorted(), ['1.1.0', '1.2.0', '1.4.0'], 'others get what the PACS sent');
  await scene.grow(study, ct, 'PACS');
  await until(() => archive.uids.includes('1.4.1'), 'what the PACS added to a study of a modality');
  await scene.untilState(study, 'delivered');
  assert.deepEqual(scene.pacs.uids, ['1.4.0']);
  await scene.forwarding.stop();
});

test('what was pulled from the archive goes to no destination at all; what a modality adds to it does', async () => {
  const scene = new ForwardingScene();
  await scene.start(scene.destination({ name: 'other', aeTitle: 'OTHER', sendsAs: ['OTHER'] }));
  const { study } = await scene.study({ origin: 'referenced', callingAeTitle: 'PACS', classes: [ct, ct] });
  await scene.grow(study);
  await until(() => scene.pacs.uids.length > 0, 'what the modality added');
  await settle();
  assert.deepEqual(scene.pacs.uids, ['1.1.2']);
  assert.deepEqual(scene.forwarding.destinations()[0]?.waiting, { studies: 0, objects: 0 });
  await scene.forwarding.stop();
});

test('nothing goes in circles when an admin has a study sent again either', async () => {
  const scene = new ForwardingScene();
  await scene.start();
  const since = scene.clock.now();
  const { study } = await scene.study();
  await scene.grow(study, ct, 'PACS');
  await scene.grow(study);
  const { study: referenced } = await scene.study({ origin: 'referenced', callingAeTitle: 'PACS' });
  await scene.grow(referenced);
  const { study: own } = await scene.study({ callingAeTitle: 'PACS' });
  await until(() => scene.pacs.uids.length === 3, 'what modalities sent');
  await settle();
  assert.equal(scene.forwarding.resend('pacs', { kind: 'study', studyRef: study.ref }), 2);
  assert.equal(scene.forwarding.resend('pacs', { kind: 'study', studyRef: own.ref }), 0);
  await until(() => scene.pacs.uids.length === 5, 'the study again');
  assert.equal(scene.forwarding.resend('pacs', { kind: 'since', since }), 3);
  await until(() => scene.pacs.uids.length === 8, 'everything again');
  await settle();
  assert.deepEqual(new Set(scene.pacs.uids), new Set(['1.1.0', '1.1.2', '1.2.1']));
  assert.deepEqual(scene.forwarding.destinations()[0]?.waiting, { studies: 0, objects: 0 });
  await scene.forwarding.stop();
});

test('what is to be sent again is passed over if it turns out to come from the destination', async () => {
  const scene = new ForwardingScene();
  await scene.start();
  const { study } = await scene.study({ callingAeTitle: 'PACS_ROUTER', classes: [ct, ct] });
  await scene.untilState(study, 'delivered');
  scene.pacs.onOpen = () => {
    throw down;
  };
  scene.pacs.hangUp();
  assert.equal(scene.forwarding.resend('pacs', { kind: 'study', studyRef: study.ref }), 2);
  await settle();
  await scene.forwarding.stop();
  scene.pacs.onOpen = () => undefined;
  scene.destinations = [scene.destination({ sendsAs: ['PACS', 'PACS_ROUTER'] })];
  await scene.restart();
  await until(() => scene.forwarding.destinations()[0]?.waiting.studies === 0, 'nothing waits');
  assert.deepEqual(scene.pacs.uids, ['1.1.0', '1.1.1']);
  await scene.forwarding.stop();
});

test('what somebody here sends of a fetched study goes to inline destinations that get nothing fetched', async () => {
  const scene = new ForwardingScene();
  const [second, router] = [new FakeScu(), new FakeScu()];
  await scene.start(
    scene.destination({}),
    scene.destination({ name: 'second', sendsAs: ['SECOND'], fetched: false, scu: second }),
    scene.destination({ name: 'router', sendsAs: ['ROUTER'], fetched: false, scu: router }),
  );
  const { study } = await scene.study({ origin: 'returned', callingAeTitle: 'ROUTER', classes: [ct, ct] });
  await scene.untilState(study, 'delivered', 'second');
  const { study: imported } = await scene.study({ origin: 'returned', callingAeTitle: 'IMPORTER' });
  await scene.untilState(imported, 'delivered', 'second');
  await scene.untilState(imported, 'delivered', 'router');
  assert.deepEqual(second.uids, ['1.1.0', '1.1.1', '1.2.0']);
  assert.deepEqual(router.uids, ['1.2.0'], 'not what it sent itself');
  assert.deepEqual(scene.pacs.uids, [], 'it got the study when that was fetched');
  assert.deepEqual(scene.coercions, [], 'it is local already');
  await scene.forwarding.stop();
});

test('a large study gives way to a small one', async () => {
  const scene = new ForwardingScene();
  await scene.start();
  const gate = Promise.withResolvers<number>();
  scene.pacs.statusOf = () => gate.promise;
  const { study: large } = await scene.study({ classes: Array.from({ length: 200 }, () => ct) });
  const { study: small } = await scene.study();
  gate.resolve(0);
  await scene.untilState(large, 'delivered');
  await scene.untilState(small, 'delivered');
  assert.ok(scene.pacs.uids.indexOf('1.2.0') < 50);
  assert.equal(scene.pacs.stored.length, 201);
  await scene.forwarding.stop();
});

test('as many presentation contexts as an association may propose, no more: the rest in further ones', async () => {
  const scene = new ForwardingScene();
  const classes = Array.from({ length: 300 }, (_, i) => `1.5.${i}`);
  await scene.start();
  const gate = Promise.withResolvers<void>();
  scene.pacs.onOpen = () => gate.promise;
  const { study } = await scene.study({ classes: [ct] });
  for (const sopClassUid of classes) await scene.grow(study, sopClassUid);
  gate.resolve();
  await scene.untilState(study, 'delivered');
  assert.ok(scene.pacs.proposals.every(({ length }) => length <= contextsPerAssociationMax));
  assert.equal(scene.pacs.proposals.length, 4);
  assert.equal(scene.pacs.stored.length, 301);
  await scene.forwarding.stop();
});

test('paused: everything waits; after the next start without it, everything is sent', async () => {
  const scene = new ForwardingScene();
  await scene.start(scene.destination({ paused: true }));
  const { study } = await scene.study();
  await settle();
  assert.equal(scene.stateOf(study), 'waiting');
  assert.equal(scene.forwarding.destinations()[0]?.state, 'held back');
  await scene.forwarding.stop();
  scene.destinations = [scene.destination({})];
  await scene.restart();
  await until(() => scene.pacs.uids.length === 1, 'the study');
  await scene.forwarding.stop();
});

test('only in its hours', async () => {
  const scene = new ForwardingScene();
  // The clock stands at 08:00 UTC: 09:00 in Berlin.
  await scene.start(
    scene.destination({ windows: [{ from: '10:30', to: '11:00' }], timeZone: 'Europe/Berlin' }),
  );
  const { study } = await scene.study();
  for (let minutes = 0; minutes < 89; minutes++) {
    scene.clock.advance(60_000);
    await settle();
  }
  assert.equal(scene.stateOf(study), 'waiting');
  scene.clock.advance(60_000);
  await scene.untilState(study, 'delivered');
  await scene.forwarding.stop();
});

test('no faster than its rate, with a second’s worth saved up', async () => {
  const scene = new ForwardingScene();
  await scene.start(scene.destination({ bytesPerSecondMax: 100_000 }));
  const bodies = [60_000, 60_000, 60_000].map((length) => new Uint8Array(length));
  await scene.study({ classes: [ct, ct, ct], bodies });
  const stored: number[] = [];
  for (let tenths = 0; tenths <= 8; tenths++) {
    await settle();
    stored.push(scene.pacs.stored.length);
    scene.clock.advance(100);
  }
  // 100 KB at once, of which the first is a part; the others when 20 KB and 80 KB more are earned.
  assert.deepEqual(stored, [1, 1, 2, 2, 2, 2, 2, 2, 3]);
  await scene.forwarding.stop();
});

test('an object that is damaged on this box’s disk is set aside, and says so', async () => {
  const scene = new ForwardingScene();
  scene.pacs.onOpen = () => {
    for (const { objects } of scene.disk.studies.values()) objects.clear();
  };
  await scene.start();
  const { study } = await scene.study();
  await scene.untilState(study, 'failed');
  assert.equal(scene.pacs.stored.length, 0);
  assert.equal(scene.forwarding.setAside().length, 1);
  await scene.forwarding.stop();
});

test('an index that cannot be written is an alarm, holds up nothing, and is written when it can be', async () => {
  const scene = new ForwardingScene();
  await scene.start();
  const write = scene.store.write.bind(scene.store);
  scene.store.write = () => Promise.reject(new AppError('STORE_FAILED', 'the index cannot be written'));
  const { study } = await scene.study();
  await scene.untilState(study, 'delivered');
  scene.clock.advance(entryFlushMs);
  await until(() => scene.healthOf('STORE_FAILED') !== undefined, 'the alarm');
  scene.store.write = write;
  scene.clock.advance(entryFlushMs);
  await until(() => scene.healthOf('STORE_FAILED') === undefined, 'no alarm');
  await scene.forwarding.stop();
  await scene.restart();
  await settle();
  assert.equal(scene.pacs.uids.length, 1);
  await scene.forwarding.stop();
});
