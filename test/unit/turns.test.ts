import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turnOfLoop } from 'node:timers/promises';
import { Turns } from '../../firmware/src/release/turns.ts';

test('no more than the given number run at a time, in the order in which they came', async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const doors = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const runs = doors.map((door, index) =>
    turns.take(async () => {
      begun.push(index);
      await door.promise;
      return index;
    }),
  );
  await turnOfLoop();
  assert.deepEqual(begun, [0, 1]);
  doors[1]?.resolve();
  await turnOfLoop();
  assert.deepEqual(begun, [0, 1, 2]);
  for (const door of doors) door.resolve();
  assert.deepEqual(await Promise.all(runs), [0, 1, 2, 3, 4]);
});

test('a run that fails passes its turn on', async () => {
  const turns = new Turns(1);
  await assert.rejects(
    turns.take(() => Promise.reject(new Error('failed'))),
    /failed/,
  );
  assert.equal(await turns.take(() => Promise.resolve('next')), 'next');
});
