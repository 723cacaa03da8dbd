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

/** Everybody else has a turn wherever it yields. */
export async function withRests<Result>(work: Generator<undefined, Result>): Promise<Result> {
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
