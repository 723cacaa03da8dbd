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
