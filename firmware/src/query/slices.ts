/** Shares out the time of long searches: after so many comparisons everybody else gets a turn. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sliceComparisonsMax } from './limits.ts';

/**
 * All searches of a box together do one slice in each turn of the event loop, in the order in which they asked: twenty
 * workstations that search at a time leave to what arrives as much as one does.
 */
export class SearchTurns {
  #last: Promise<void> = Promise.resolve();

  /** Resolves when it may do its next slice. */
  next(): Promise<void> {
    this.#last = this.#last.then(() => nextTurn());
    return this.#last;
  }
}

export class Slices {
  readonly #turns: SearchTurns;
  readonly #signal: AbortSignal;
  /** A search begins with a turn like any other: short ones without an end would have all the time else. */
  #left = 0;

  constructor(turns: SearchTurns, signal: AbortSignal) {
    this.#turns = turns;
    this.#signal = signal;
  }

  get isCancelled(): boolean {
    return this.#signal.aborted;
  }

  /** True when the slice is used up, and `rest` is due. */
  spend(comparisons: number): boolean {
    this.#left -= comparisons;
    return this.#left <= 0;
  }

  async rest(): Promise<void> {
    this.#left = sliceComparisonsMax;
    await this.#turns.next();
  }
}
