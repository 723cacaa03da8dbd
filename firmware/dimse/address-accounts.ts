/**
 * What has been paid by no association: connections that are made and given up, what they propose, and what an association
 * owed when it ended. It is kept by address, for who comes and goes would begin anew each time, and whoever reaches the
 * port may ask for an association without an end. So new connections of an address are read one after the other, each
 * after the rest that those before it owe. Associations that stand do not wait for it: a router brings those of many.
 */
import { addressesKeptMax, connectionCost } from './limits.ts';
import { type Turns, WorkAccount } from './turns.ts';

/** Of one address. */
export class AddressAccount extends WorkAccount {
  #last: Promise<void> | undefined;

  /**
   * A connection was made.
   * @param asked resolves when what it asks for is charged, or it is over. The next one waits for that for a turn at most:
   *   who says nothing must not keep others out.
   * @returns when it may be read; undefined for at once.
   */
  connected(asked: Promise<void>): Promise<void> | undefined {
    this.charge(connectionCost);
    const mayRead = this.#last === undefined ? this.rest() : this.#last.then(() => this.rest());
    if (mayRead === undefined) return undefined;
    const last = mayRead
      .then(() => Promise.race([asked, this.turns.nextPart()]))
      .finally(() => {
        if (this.#last === last) this.#last = undefined;
      });
    this.#last = last;
    return mayRead;
  }
}

export class AddressAccounts {
  readonly #turns: Turns;
  /** In the order in which they were seen first. */
  readonly #accounts = new Map<string, AddressAccount>();

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** The oldest is forgotten beyond `addressesKeptMax`: its connections go on with what they have. */
  of(address: string): AddressAccount {
    const known = this.#accounts.get(address);
    if (known !== undefined) return known;
    const [oldest] = this.#accounts.keys();
    if (oldest !== undefined && this.#accounts.size >= addressesKeptMax) this.#accounts.delete(oldest);
    const account = new AddressAccount(this.#turns);
    this.#accounts.set(address, account);
    return account;
  }
}
