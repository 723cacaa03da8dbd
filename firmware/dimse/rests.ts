/** Work that is cut where it yields, so that everybody else can have a turn in between. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { elementsWithoutRestMax, textBytesWithoutRestMax } from './limits.ts';

/** At one go: for what is known to be short. */
export function withoutRests<Result>(work: Generator<undefined, Result>): Result {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/**
 * Works one after the other, in the order of the calls: many at a time would each have a part of every turn, and nothing
 * would be left to those who wait for bytes.
 */
export class WorkQueue {
  #newest: Promise<unknown> = Promise.resolve();

  add<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#newest.then(work);
    this.#newest = Promise.allSettled([done]);
    return done;
  }
}

/**
 * Everybody else has a turn, or more, wherever it yields. What is done before it yields for the first time is done by
 * then; the rest of it waits for those before it in the queue.
 * @param rest what it waits for where it yields.
 */
export async function withRests<Result>(
  work: Generator<undefined, Result>,
  queue: WorkQueue,
  rest: () => Promise<unknown> = () => nextTurn(),
): Promise<Result> {
  const { done, value } = work.next();
  if (done === true) return value;
  return queue.add(() => toItsEnd(work, rest));
}

async function toItsEnd<Result>(
  work: Generator<undefined, Result>,
  rest: () => Promise<unknown>,
): Promise<Result> {
  for (;;) {
    await rest();
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** When a rest is due in work on a data set: after so many elements, or values, which cost as much; or after so much text. */
export class Rests {
  #elements = 0;
  #textBytes = 0;

  /**
   * Told of the work that was done so far, in all.
   * @returns true where the next rest is due; it is counted anew from there.
   */
  isDue(elements: number, textBytes: number): boolean {
    if (
      elements - this.#elements < elementsWithoutRestMax &&
      textBytes - this.#textBytes < textBytesWithoutRestMax
    )
      return false;
    this.#elements = elements;
    this.#textBytes = textBytes;
    return true;
  }
}
