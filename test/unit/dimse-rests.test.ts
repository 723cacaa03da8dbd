/** Long work on data sets, of all associations: one after the other, and what fails holds up nobody. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withRests, WorkQueue } from '../../firmware/dimse/rests.ts';

test('long works follow each other, whatever becomes of them', async () => {
  const steps: string[] = [];
  function* work(name: string, isFailing = false): Generator<undefined, string> {
    for (let step = 0; step < 3; step++) {
      steps.push(name);
      yield undefined;
    }
    if (isFailing) throw new Error(name);
    return name;
  }
  const queue = new WorkQueue();
  const works = [withRests(work('a'), queue), withRests(work('b', true), queue), withRests(work('c'), queue)];
  const [a, b, c] = await Promise.allSettled(works);
  assert.deepEqual([a?.status, b?.status, c?.status], ['fulfilled', 'rejected', 'fulfilled']);
  assert.equal(steps.join(''), 'abcaabbcc', 'but for what each begins with');
});

test('of works that were begun, those of which least is left are ended first: few are half done', async () => {
  const left = new Map<string, number>();
  let halfDoneMax = 0;
  function* work(name: string, parts: number): Generator<undefined, undefined> {
    for (let part = parts; part > 0; part--) {
      left.set(name, part - 1);
      const halfDone = [...left].filter(([each, parts]) => parts > 0 && parts < (sizes.get(each) ?? 0) - 1);
      halfDoneMax = Math.max(halfDoneMax, halfDone.length);
      yield undefined;
    }
    return undefined;
  }
  const sizes = new Map(Array.from({ length: 50 }, (_, n) => [`work ${n}`, 20 - (n % 10)]));
  const queue = new WorkQueue();
  const state = (name: string) => ({ left: () => left.get(name) ?? 0, rest: () => undefined });
  await Promise.all([...sizes].map(([name, parts]) => withRests(work(name, parts), queue, state(name))));
  assert(halfDoneMax <= 3, `${halfDoneMax} at a time`);
});
