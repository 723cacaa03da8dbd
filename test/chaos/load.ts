/**
 * What sources and owners bring to the ledger while it is troubled: each study is registered, then granted, then revoked,
 * by whichever box is up.
 */
import { encodeTransaction, transactionId } from '../../firmware/src/ledger/index.ts';
import type { Transaction } from '../../firmware/src/ledger/types.ts';
import { signerOf, type LedgerFixture } from '../fakes/ledger.ts';

export interface Submission {
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** What can come once the transaction before it is final. */
type Next = () => { readonly transaction: Transaction; readonly next?: Next };

export class Load {
  readonly #ledger: LedgerFixture;
  /** By the transaction that must be final before. */
  readonly #waiting = new Map<string, Next>();
  readonly #ready: Next[] = [];
  #studies = 0;

  constructor(ledger: LedgerFixture) {
    this.#ledger = ledger;
  }

  /** The next transaction, for this box to submit. */
  next(box: string): Submission {
    const { transaction, next } = (this.#ready.shift() ?? this.#registration(box))();
    const bytes = encodeTransaction(transaction);
    const id = transactionId(bytes);
    if (next !== undefined) this.#waiting.set(id, next);
    return { id, bytes };
  }

  /** It may be told several times. */
  isFinal(id: string): void {
    const next = this.#waiting.get(id);
    if (next === undefined) return;
    this.#waiting.delete(id);
    this.#ready.push(next);
  }

  #registration(source: string): Next {
    const ledger = this.#ledger;
    const name = `chaos ${this.#studies++}`;
    const owner = signerOf(`${name} owner`);
    const grantee = signerOf(`${name} grantee`);
    return () => {
      const { transaction, ids } = ledger.register(source, name, [owner]);
      const study = ids[0]!;
      const revoke: Next = () => ({
        transaction: ledger.sign(ledger.revokeBody(study, { upTo: 1 }), owner),
      });
      const grant: Next = () => ({
        transaction: ledger.sign(ledger.grantBody(study, 1, grantee.publicKey), owner),
        next: revoke,
      });
      return { transaction, next: grant };
    };
  }
}
