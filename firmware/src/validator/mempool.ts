/** Transactions that wait for a block, bounded in all and for each institution that sent them. */
import {
  applyTransaction,
  decodeTransaction,
  goesFirst,
  mayApplyLater,
  transactionId,
} from '../ledger/index.ts';
import { blockTransactionsMax } from '../ledger/limits.ts';
import type { LedgerState, Transaction, TransactionId } from '../ledger/types.ts';
import type { InstitutionId, LedgerHead, VerifySignature } from '../ports.ts';
import {
  institutionBytesMax,
  institutionTransactionsMax,
  mempoolBytesMax,
  mempoolTransactionsMax,
  recheckedTransactionsMax,
  waitingMsMax,
} from './limits.ts';

export interface MempoolOptions {
  readonly self: InstitutionId;
  readonly verify: VerifySignature;
}

/** What a transaction is judged by: the final state, so that a refusal which stands for ever is one. */
export interface FinalState {
  readonly head: LedgerHead;
  readonly state: LedgerState;
}

export type Admission =
  | { readonly kind: 'waiting'; readonly id: TransactionId; readonly isNew: boolean }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'full' };

interface Entry {
  readonly id: TransactionId;
  readonly bytes: Uint8Array;
  readonly transaction: Transaction;
  readonly from: InstitutionId;
  /** When it came, UTC milliseconds. */
  readonly since: number;
  /** False while it builds on something that is not final yet: no reason for a block by itself. */
  ready: boolean;
}

export interface Refusal {
  readonly id: TransactionId;
  readonly reason: string;
}

export class Mempool {
  readonly #options: MempoolOptions;
  readonly #entries = new Map<TransactionId, Entry>();
  readonly #use = new Map<InstitutionId, { transactions: number; bytes: number }>();
  #bytes = 0;

  constructor(options: MempoolOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Takes a transaction in the name of the institution that sent it. */
  add(from: InstitutionId, bytes: Uint8Array, final: FinalState, now: number): Admission {
    const decoded = decodeTransaction(bytes);
    if (decoded.kind === 'refused') return { kind: 'refused', reason: decoded.reason };
    const { id, transaction } = decoded;
    const known = this.#entries.get(id);
    // What this box submits itself is kept for as long as it is valid, whoever brought it first.
    if (known !== undefined && (from !== this.#options.self || known.from === from)) {
      return { kind: 'waiting', id, isNew: false };
    }
    this.remove(id);
    const use = this.#use.get(from) ?? { transactions: 0, bytes: 0 };
    if (
      this.#entries.size >= mempoolTransactionsMax ||
      this.#bytes + bytes.length > mempoolBytesMax ||
      use.transactions >= institutionTransactionsMax ||
      use.bytes + bytes.length > institutionBytesMax
    ) {
      return { kind: 'full' };
    }
    const outcome = this.#judge(transaction, final);
    if (outcome !== undefined && !outcome.later) return { kind: 'refused', reason: outcome.reason };
    this.#entries.set(id, { id, bytes, transaction, from, since: now, ready: outcome === undefined });
    this.#use.set(from, { transactions: use.transactions + 1, bytes: use.bytes + bytes.length });
    this.#bytes += bytes.length;
    return { kind: 'waiting', id, isNew: true };
  }

  remove(id: TransactionId): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    this.#bytes -= entry.bytes.length;
    const use = this.#use.get(entry.from);
    if (use === undefined) return;
    if (use.transactions === 1) this.#use.delete(entry.from);
    else
      this.#use.set(entry.from, {
        transactions: use.transactions - 1,
        bytes: use.bytes - entry.bytes.length,
      });
  }

  /** True if a transaction waits that could stand in a block on top of these blocks' transactions. */
  hasWork(contained: ReadonlySet<TransactionId>): boolean {
    for (const { id, ready } of this.#entries.values()) if (ready && !contained.has(id)) return true;
    return false;
  }

  /** What a block may be built of: revocations and objections, then the others, oldest first; those that build on others too. */
  candidates(contained: ReadonlySet<TransactionId>): Uint8Array[] {
    const open = [...this.#entries.values()].filter(({ id }) => !contained.has(id));
    const first = ({ transaction }: Entry): boolean => goesFirst(transaction.body.type);
    const ordered = [...open.filter(first), ...open.filter((entry) => !first(entry))];
    return ordered.slice(0, blockTransactionsMax).map(({ bytes }) => bytes);
  }

  /** Refused when a block was built: judged again by the final state, dropped if that refuses for ever too. */
  recheck(transactions: readonly Uint8Array[], final: FinalState): Refusal[] {
    return this.#recheck(transactions.map(transactionId), final);
  }

  /**
   * After final blocks: those in them go; some of the others, oldest first, are judged anew, and dropped if they can
   * never apply, or came from elsewhere and have waited long.
   */
  afterFinal(contained: Iterable<TransactionId>, final: FinalState, now: number): Refusal[] {
    for (const id of contained) this.remove(id);
    for (const { id, from, since, ready } of this.#entries.values()) {
      if (!ready && from !== this.#options.self && now - since > waitingMsMax) this.remove(id);
    }
    return this.#recheck([...this.#entries.keys()].slice(0, recheckedTransactionsMax), final);
  }

  #recheck(ids: readonly TransactionId[], final: FinalState): Refusal[] {
    const refused: Refusal[] = [];
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry === undefined) continue;
      const outcome = this.#judge(entry.transaction, final);
      entry.ready = outcome === undefined;
      if (outcome === undefined || outcome.later) continue;
      this.remove(id);
      refused.push({ id, reason: outcome.reason });
    }
    return refused;
  }

  /** Undefined if it applies to the final state, in the earliest block that could follow. */
  #judge(
    transaction: Transaction,
    { head, state }: FinalState,
  ): { reason: string; later: boolean } | undefined {
    // A refusal by this block time stands for all later ones.
    const context = { height: head.height + 1, time: head.time + 1, verify: this.#options.verify };
    const outcome = applyTransaction(state, transaction, context);
    if (outcome.kind === 'applied') return undefined;
    return { reason: outcome.reason, later: mayApplyLater(outcome.reason) };
  }
}
