/** The alarm of a handover that is missing: for a box that comes back and asks for it, none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Health } from '../../firmware/src/box/health.ts';
import { HandoverWay } from '../../firmware/src/validator/handover-way.ts';
import { handoverMissingMs } from '../../firmware/src/validator/limits.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

test('a handover is missing once it was missing for a while; each epoch has its own while', async () => {
  const complete = new Set([0, 1]);
  const health = new Health(new ManualClock(0), new RecordingLogger());
  const way = new HandoverWay(
    (epoch) => Promise.resolve(complete.has(epoch) ? new Uint8Array(1) : undefined),
    health,
  );
  const alarms = async (current: number, now: number): Promise<string[]> => {
    await way.look(current, now);
    return health.list().map(({ detail }) => detail);
  };
  assert.deepEqual(await alarms(3, 0), [], 'that of epoch 2 may be under way');
  assert.deepEqual(await alarms(5, 1000), []);
  assert.deepEqual(await alarms(5, handoverMissingMs), []);
  complete.add(2);
  assert.deepEqual(await alarms(6, handoverMissingMs + 1000), [], 'epoch 3 is missing since now');
  const [alarm = ''] = await alarms(6, 2 * handoverMissingMs + 1000);
  assert.match(alarm, /epoch 3/);
  complete.add(3).add(4);
  assert.deepEqual(await alarms(6, 2 * handoverMissingMs + 2000), []);
});

test('asked by several at a time, the way passes over no epoch that is missing', async () => {
  const health = new Health(new ManualClock(0), new RecordingLogger());
  const way = new HandoverWay(
    (epoch) => Promise.resolve(epoch === 3 ? undefined : new Uint8Array(1)),
    health,
  );
  const asked = [way.leadsTo(9), way.leadsTo(9), way.look(9, 0), way.leadsTo(2)];
  assert.deepEqual(await Promise.all(asked), [false, false, undefined, true]);
  assert.equal(await way.leadsTo(3), false);
  assert.equal(way.next, 3);
});
