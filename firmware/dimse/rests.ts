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

/** The newest of those that wait for each other. There is one event loop for all associations, so there is one queue. */
let newest: Promise<unknown> = Promise.resolve();

/**
 * Everybody else has a turn wherever it yields. One work after the other, in the order of the calls: many at a time would
 * each have a part of every turn, and nothing would be left to those who wait for bytes.
 */
export function withRests<Result>(work: Generator<undefined, Result>): Promise<Result> {
  const done = newest.then(() => toItsEnd(work));
  newest = Promise.allSettled([done]);
  return done;
}

async function toItsEnd<Result>(work: Generator<undefined, Result>): Promise<Result> {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    await nextTurn();
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
