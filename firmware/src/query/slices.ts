/** Shares out the time of a long search: after so many comparisons everybody else gets a turn. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sliceComparisonsMax } from './limits.ts';

export class Slices {
  readonly #signal: AbortSignal;
  #left = sliceComparisonsMax;

  constructor(signal: AbortSignal) {
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
    await nextTurn();
  }
}
