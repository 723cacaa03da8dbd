/** The members as the final ledger has them, for whoever connects to them: the ledger is the address book. */
import type { InstitutionRecord } from '../ledger/types.ts';
import type { Ledger, Unsubscribe } from '../ports.ts';
import type { Introduced } from './introductions.ts';

export class Members {
  readonly #ledger: Pick<Ledger, 'state' | 'head' | 'onFinal'>;
  readonly #listeners = new Set<() => void>();
  #told: readonly InstitutionRecord[] = [];
  #introduced: Introduced | undefined;

  /** The ledger must be started before `members` is asked for the first time. */
  constructor(ledger: Pick<Ledger, 'state' | 'head' | 'onFinal'>) {
    this.#ledger = ledger;
  }

  /** Compares after each final block from now on: a state that came as a snapshot is noticed with the block after it. */
  start(): Unsubscribe {
    this.#told = this.members();
    return this.#ledger.onFinal(() => this.#compare());
  }

  /** Those of the ledger; while that is behind what the box was told with proof, those. */
  members(): readonly InstitutionRecord[] {
    const introduced = this.#introduced;
    if (introduced !== undefined && introduced.height > this.#ledger.head().height) return introduced.members;
    this.#introduced = undefined;
    return this.#ledger.state().institutions();
  }

  /** Proven by certificates (introductions.ts), and used to connect with alone. */
  introduce(introduced: Introduced): void {
    this.#introduced = introduced;
    this.#compare();
  }

  onMembersChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #compare(): void {
    const now = this.members();
    // The version of a record grows with each change of it, also where an institution comes again after its removal.
    const isSame =
      now.length === this.#told.length &&
      now.every(({ id, version }, index) => {
        const told = this.#told[index];
        return told?.id === id && told.version === version;
      });
    if (isSame) return;
    this.#told = now;
    for (const listener of this.#listeners) listener();
  }
}
