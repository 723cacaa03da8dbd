import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turnOfLoop } from 'node:timers/promises';
import { InOrder } from '../../firmware/src/release/in-order.ts';

test('works overlap up to the bound, and each is told when those before it are done', async () => {
  const inOrder = new InOrder<number>(2);
  const log: string[] = [];
  const slow = Promise.withResolvers<void>();
  const work = (name: number, preparation: Promise<void>) => async (turn: Promise<unknown>) => {
    log.push(`begin ${name}`);
    await preparation;
    await turn;
    log.push(`end ${name}`);
    return name;
  };
  await inOrder.add(work(1, slow.promise));
  const second = inOrder.add(work(2, Promise.resolve()));
  await turnOfLoop();
  assert.deepEqual(log, ['begin 1', 'begin 2'], 'the second is ready first, and waits');
  slow.resolve();
  await second;
  await inOrder.add(work(3, Promise.resolve()));
  assert.equal(await inOrder.last(), 3);
  assert.deepEqual(
    log.filter((line) => line.startsWith('end')),
    ['end 1', 'end 2', 'end 3'],
  );
});

test('a failure is thrown by what is called next, and those after it fail with it', async () => {
  const inOrder = new InOrder<number>(2);
  await inOrder.add(() => Promise.reject(new Error('disk')));
  await assert.rejects(
    inOrder.add(async (turn) => {
      await turn;
      return 2;
    }),
    /disk/,
  );
  await inOrder.settled();
  await assert.rejects(inOrder.last(), /disk/);
});

test('nothing begun comes to nothing', async () => {
  assert.equal(await new InOrder<number>(2).last(), undefined);
});
