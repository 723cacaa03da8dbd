/** Who votes in which epoch, as far as any box has seen it begin. */
import type { Validator } from '../../firmware/src/validator/validator.ts';

export class Electorates {
  readonly #byEpoch = new Map<number, readonly string[]>();

  /** `first`: the validators of epoch 0. */
  constructor(first: readonly string[]) {
    this.#byEpoch.set(0, first);
  }

  /** Takes note of the epoch in which this box is. */
  see(validator: Validator): void {
    const { number, validators } = validator.state().epoch();
    const ids = validators.map(({ id }) => id);
    if (!this.#byEpoch.has(number)) this.#byEpoch.set(number, ids);
  }

  /** Undefined if nobody has seen it begin. */
  of(epoch: number): readonly string[] | undefined {
    return this.#byEpoch.get(epoch);
  }

  /** The institution at this place of the epoch's validators; empty if there is none. */
  institutionAt({ epoch, validator }: { readonly epoch: number; readonly validator: number }): string {
    return this.of(epoch)?.[validator] ?? '';
  }

  /** How many different lists of validators there were. */
  get variety(): number {
    return new Set([...this.#byEpoch.values()].map((ids) => ids.join())).size;
  }
}
