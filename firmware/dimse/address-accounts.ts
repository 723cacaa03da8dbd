/**
 * What has been paid by no association. Who comes and goes would begin anew each time, and whoever reaches the port may ask
 * for an association without an end.
 *
 * - Connections that ask, and what they propose, are kept by address: those of an address are read one after the other, each
 *   after the rest that those before it owe. One that says nothing is in nobody's way.
 * - What an association owed when it ended is kept by its address and AE title together: its next one waits for that, and
 *   nobody else does who stands behind the same router or on the same machine.
 *
 * Associations that stand wait for neither.
 */
import { addressesKeptMax, connectionCost } from './limits.ts';
import { type Turns, WorkAccount } from './turns.ts';

/** Of one address, or of one AE title at it. */
export class AddressAccount extends WorkAccount {
  #last: Promise<void> | undefined;

  /**
   * A connection asks for something.
   * @param asked resolves when what it asks for is charged, or it is over. The next one waits for that for a turn at most:
   *   who asks slowly must not keep others out.
   * @returns when it may be read; undefined for at once.
   */
  connected(asked: Promise<void>): Promise<void> | undefined {
    this.charge(connectionCost);
    const mayRead = this.inRow();
    if (mayRead === undefined) return undefined;
    this.#holdUp(mayRead.then(() => Promise.race([asked, this.turns.nextPart()])));
    return mayRead;
  }

  /** When all that is owed was rested for, after those who came before; undefined for at once. */
  inRow(): Promise<void> | undefined {
    const mayGoOn = this.#last === undefined ? this.rest() : this.#last.then(() => this.rest());
    if (mayGoOn !== undefined) this.#holdUp(mayGoOn);
    return mayGoOn;
  }

  #holdUp(until: Promise<void>): void {
    const last = until.finally(() => {
      if (this.#last === last) this.#last = undefined;
    });
    this.#last = last;
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
