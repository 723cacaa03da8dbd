/**
 * What has been paid by no association. Who comes and goes would begin anew each time, and whoever reaches the port may ask
 * for an association without an end.
 *
 * - What it costs to decode and answer requests is kept by address: those of an address are decoded one after the other, each
 *   after the rest that the one before it owes. Who has not asked yet is in nobody's way.
 * - What an association owed when it ended is kept by its address and AE title together: its next one waits for that, and
 *   nobody else does who stands behind the same router or on the same machine.
 *
 * Associations that stand wait for neither.
 */
import { addressesKeptMax, debtMax } from './limits.ts';
import { type Turns, WorkAccount } from './turns.ts';

/** Where one connection waits. Whoever is gone gives it up: the row then holds nothing of it. */
export class Place {
  #enter: (() => void) | undefined;
  #isGivenUp = false;

  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** Resolves when it is entered; never once it is given up. */
  wait(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#enter = resolve;
    return promise;
  }

  enter(): void {
    this.#enter?.();
    this.#enter = undefined;
  }

  giveUp(): void {
    this.#isGivenUp = true;
    this.#enter = undefined;
  }
}

/** Of one address, or of one AE title at it. */
export class AddressAccount extends WorkAccount {
  #last: Promise<void> | undefined;

  /** More than `debtMax` is not remembered: a flood that is over must not keep its address out for minutes. */
  override charge(cost: number): void {
    super.charge(Math.min(cost, Math.max(0, debtMax - this.cost)));
  }

  /**
   * @param cost of what it then does.
   * @returns when it may: after those who came before, and the rest that they owe; undefined for at once.
   */
  inRow(cost: number, place: Place): Promise<void> | undefined {
    const rest =
      this.#last === undefined
        ? this.rest()
        : this.#last.then(() => (place.isGivenUp ? undefined : this.rest()));
    if (rest === undefined) {
      this.charge(cost);
      return undefined;
    }
    const last = rest
      .then(() => {
        if (place.isGivenUp) return;
        this.charge(cost);
        place.enter();
      })
      .finally(() => {
        if (this.#last === last) this.#last = undefined;
      });
    this.#last = last;
    return place.wait();
  }
}

export class AddressAccounts {
  readonly #turns: Turns;
  /** In the order in which they were seen first. */
  readonly #accounts = new Map<string, AddressAccount>();

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /**
   * Of an address, or of an AE title at it. The oldest is forgotten beyond `addressesKeptMax`: its connections go on with
   * what they have.
   */
  of(address: string, aeTitle?: string): AddressAccount {
    const name = aeTitle === undefined ? address : `${address} ${aeTitle}`;
    const known = this.#accounts.get(name);
    if (known !== undefined) return known;
    const [oldest] = this.#accounts.keys();
    if (oldest !== undefined && this.#accounts.size >= addressesKeptMax) this.#accounts.delete(oldest);
    const account = new AddressAccount(this.#turns);
    this.#accounts.set(name, account);
    return account;
  }
}

/** As IPv4 where it is one. */
export function addressOf({ remoteAddress }: { readonly remoteAddress?: string | undefined }): string {
  return remoteAddress?.replace(/^::ffff:/, '') ?? '';
}

/** Those of the address that has most of them, in their order: of these one gives way, so that no address keeps others out. */
export function ofBusiestAddress<Connection extends { readonly remoteAddress?: string | undefined }>(
  connections: Iterable<Connection>,
): readonly Connection[] {
  let most: readonly Connection[] = [];
  for (const each of Map.groupBy(connections, addressOf).values()) if (each.length > most.length) most = each;
  return most;
}
