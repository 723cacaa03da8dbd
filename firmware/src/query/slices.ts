/** Shares out the time of a long search: after so many entities everybody else gets a turn. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sliceEntitiesMax } from './limits.ts';

export class Slices {
  readonly #signal: AbortSignal;
  #left = sliceEntitiesMax;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  get isCancelled(): boolean {
    return this.#signal.aborted;
  }

  /** True when the slice is used up, and `rest` is due. */
  spend(entities: number): boolean {
    this.#left -= entities;
    return this.#left <= 0;
  }

  async rest(): Promise<void> {
    this.#left = sliceEntitiesMax;
    await nextTurn();
  }
}
