/** Several under way at a time, in order, and none left behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sideBySide } from '../../firmware/src/store/side-by-side.ts';

/** Work that ends when it is told to. */
class Work {
  readonly begun: number[] = [];
  readonly #ends = new Map<number, PromiseWithResolvers<string>>();

  readonly run = (item: number): Promise<string> => {
    this.begun.push(item);
    const ending = Promise.withResolvers<string>();
    this.#ends.set(item, ending);
    return ending.promise;
  };

  end(item: number): void {
    this.#ends.get(item)?.resolve(`done ${item}`);
  }

  fail(item: number): void {
    this.#ends.get(item)?.reject(new Error(`failed ${item}`));
  }
}

const turns = async (): Promise<void> => {
  for (let n = 0; n < 20; n++) await Promise.resolve();
};

test('so many are begun at once, and the next when the first of them is taken', async () => {
  const work = new Work();
  const results = sideBySide([1, 2, 3, 4], 2, work.run);
  const first = results.next();
  await turns();
  assert.deepEqual(work.begun, [1, 2]);
  work.end(2);
  await turns();
  assert.deepEqual(work.begun, [1, 2], 'what was made waits for its turn, and takes a place');
  work.end(1);
  assert.deepEqual(await first, { value: 'done 1', done: false });
  await turns();
  assert.deepEqual(work.begun, [1, 2], 'the consumer has not asked for more');
  const second = results.next();
  await turns();
  assert.deepEqual(work.begun, [1, 2, 3]);
  assert.equal((await second).value, 'done 2');
  for (const item of [3, 4]) {
    const next = results.next();
    await turns();
    work.end(item);
    assert.equal((await next).value, `done ${item}`);
  }
  assert.equal((await results.next()).done, true);
});

test('a fault comes in its turn, and not before all that is under way has ended', async () => {
  const work = new Work();
  const results = sideBySide([1, 2, 3, 4], 3, work.run);
  const first = results.next();
  await turns();
  work.fail(2);
  await turns();
  work.end(1);
  assert.equal((await first).value, 'done 1');
  let isOver = false;
  const second = results.next().finally(() => {
    isOver = true;
  });
  const refused = assert.rejects(second, /failed 2/);
  await turns();
  assert.equal(isOver, false, '3 and 4 are still under way');
  work.end(3);
  work.fail(4);
  await refused;
  assert.deepEqual(work.begun, [1, 2, 3, 4]);
});

test('who stops asking waits for what is under way, and nothing more is begun', async () => {
  const work = new Work();
  const results = sideBySide([1, 2, 3, 4], 2, work.run);
  const first = results.next();
  await turns();
  work.end(1);
  await first;
  let isOver = false;
  const stopped = results.return().finally(() => {
    isOver = true;
  });
  await turns();
  assert.equal(isOver, false);
  work.end(2);
  await stopped;
  assert.deepEqual(work.begun, [1, 2]);
});
