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

/** How a long work stands, and what holds it up. */
export interface WorkState {
  /** How much of it is left, in bytes at most. */
  left(): number;
  /** A turn of what its peer owes, before it may go on; undefined if that is nothing. */
  rest(): Promise<void> | undefined;
}

/** Of the box's own: in the order in which they came, and without debts. */
const ownWork: WorkState = { left: () => 0, rest: () => undefined };

interface Waiting {
  left(): number;
  /** Rests, or does its next part. @returns true once it has ended. */
  goOn(): Promise<boolean>;
}

/**
 * One part at a time of all works: many would each have a part of every turn, and nothing would be left to those who wait
 * for bytes. By turns the next part is of the work of which least is left, so that a short one does not wait for long
 * ones, and of the oldest, so that those who come for ever delay none for ever. In turn of all, each of 200 would be
 * half done and hold what it has made; so those that were begun hold no more than two or three would.
 */
export class WorkQueue {
  /** In the order in which they came. */
  readonly #waiting: Waiting[] = [];
  #isOldestsTurn = false;

  add<Result>(parts: Generator<undefined, Result>, state: WorkState): Promise<Result> {
    const end = Promise.withResolvers<Result>();
    const goOn = async (): Promise<boolean> => {
      try {
        const rest = state.rest();
        await (rest ?? nextTurn());
        if (rest !== undefined) return false;
        const { done, value } = parts.next();
        if (done === true) end.resolve(value);
        return done === true;
      } catch (error) {
        end.reject(error);
        return true;
      }
    };
    this.#waiting.push({ left: () => state.left(), goOn });
    if (this.#waiting.length === 1) void this.#work();
    return end.promise;
  }

  async #work(): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next())
      if (await next.goOn()) this.#waiting.splice(this.#waiting.indexOf(next), 1);
  }

  #next(): Waiting | undefined {
    const [oldest] = this.#waiting;
    this.#isOldestsTurn = !this.#isOldestsTurn;
    if (oldest === undefined || this.#isOldestsTurn) return oldest;
    return this.#waiting.reduce((least, each) => (each.left() < least.left() ? each : least), oldest);
  }
}

/**
 * Everybody else has a turn, or more, wherever it yields. What is done before it yields for the first time is done by
 * then; the rest of it takes turns with the others in the queue.
 */
export async function withRests<Result>(
  work: Generator<undefined, Result>,
  queue: WorkQueue,
  state: WorkState = ownWork,
): Promise<Result> {
  const { done, value } = work.next();
  return done === true ? value : queue.add(work, state);
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
