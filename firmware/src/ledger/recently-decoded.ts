/**
 * Transactions that were decoded lately, by their ids. A box meets each several times: when it comes, when a block is
 * built of it or received, when that block is written and read; and reading canonical CBOR strictly costs more than
 * hashing it. The id is a hash of all of its bytes, so that what is found under it is what they decode to.
 */
import { decodedTransactionsBytesMax } from './limits.ts';
import type { Transaction, TransactionId } from './types.ts';

interface Decoded {
  readonly transaction: Transaction;
  readonly encodedBytes: number;
}

export class RecentlyDecoded {
  /** In the order in which they were decoded. */
  readonly #decoded = new Map<TransactionId, Decoded>();
  #bytes = 0;

  get(id: TransactionId): Transaction | undefined {
    return this.#decoded.get(id)?.transaction;
  }

  /** `encodedBytes`: its length as it was read, which bounds what it takes here. */
  add(id: TransactionId, transaction: Transaction, encodedBytes: number): void {
    this.#decoded.set(id, { transaction, encodedBytes });
    this.#bytes += encodedBytes;
    for (const [oldest, { encodedBytes: length }] of this.#decoded) {
      if (this.#bytes <= decodedTransactionsBytesMax) return;
      this.#decoded.delete(oldest);
      this.#bytes -= length;
    }
  }
}
