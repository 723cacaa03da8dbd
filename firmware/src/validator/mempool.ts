/**
 * Transactions that wait for a block, bounded in all and for each institution that brought them. What owners take back
 * (revocations, objections) waits in a lane of its own, with room of its own here and in each block: neither a member
 * that floods nor the source against which it is directed can hold it up.
 *
 * Who brought a transaction pays for its room and its turns, not who is named in it: that a name is right is known only
 * when the signature can be checked, and nobody shall fill another's share.
 */
import {
  applyTransaction,
  bringsKeys,
  decodeTransaction,
  goesFirst,
  mayApplyLater,
  transactionId,
  transactionWork,
} from '../ledger/index.ts';
import { blockTransactionBytesMax, blockTransactionsMax, blockWorkMax } from '../ledger/limits.ts';
import type { LedgerState, Transaction, TransactionId } from '../ledger/types.ts';
import type { InstitutionId, LedgerHead, VerifySignature } from '../ports.ts';
import { ForgedSignatures, judgedBy } from './forged-signatures.ts';
import {
  firstBytesMax,
  firstTransactionsMax,
  firstWorkMax,
  institutionBytesMax,
  institutionFirstBytesMax,
  institutionFirstTransactionsMax,
  institutionKeyChangesMax,
  institutionTransactionsMax,
  mempoolBytesMax,
  mempoolTransactionsMax,
  readyRecheckMs,
  recheckedTransactionsMax,
  waitingMsMax,
} from './limits.ts';
import { WaitingLane, type WaitingTransaction } from './waiting-lane.ts';

export interface MempoolOptions {
  readonly self: InstitutionId;
  readonly verify: VerifySignature;
  /** Whether somebody at this box waits for it: as long as that it is not given up. */
  readonly isAwaited: (id: TransactionId) => boolean;
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

/** Of a block that has become final. */
export interface FinalTransactions {
  readonly ids: Iterable<TransactionId>;
  /** True if this box built it. */
  readonly isOwn: boolean;
}

/** Of a block that this box has built. */
export interface BuiltOf {
  /** In it, and in those before it that are not final. */
  readonly placed: Iterable<TransactionId>;
  /** Of its candidates, encoded. */
  readonly refused: readonly Uint8Array[];
}

export interface Refusal {
  readonly id: TransactionId;
  readonly reason: string;
}

const firstBounds = {
  transactionsMax: firstTransactionsMax,
  bytesMax: firstBytesMax,
  institutionTransactionsMax: institutionFirstTransactionsMax,
  institutionBytesMax: institutionFirstBytesMax,
};
const restBounds = {
  transactionsMax: mempoolTransactionsMax,
  bytesMax: mempoolBytesMax,
  institutionTransactionsMax,
  institutionBytesMax,
};

/** Refusals that cost a check of something that no honest box sends: whoever brings too many is not listened to. */
const forgeries: ReadonlySet<string> = new Set([
  'bad-signature',
  'bad-certificate',
  'bad-possession',
  'bad-key',
  'no-evidence',
]);

const workOf = ({ transaction }: WaitingTransaction): number => transactionWork(transaction.body);

/** The first of these, as many as take no more work than this together. */
function withinWork(waiting: readonly WaitingTransaction[], workMax: number): readonly WaitingTransaction[] {
  let work = 0;
  const beyond = waiting.findIndex((each) => (work += workOf(each)) > workMax);
  return beyond < 0 ? waiting : waiting.slice(0, beyond);
}

export class Mempool {
  readonly #options: MempoolOptions;
  readonly #first: WaitingLane;
  readonly #rest: WaitingLane;
  readonly #forged = new ForgedSignatures();

  constructor(options: MempoolOptions) {
    this.#options = options;
    this.#first = new WaitingLane(options.self, firstBounds);
    this.#rest = new WaitingLane(options.self, restBounds);
  }

  get size(): number {
    return this.#first.size + this.#rest.size;
  }

  /** Takes a transaction in the name of the institution that brought it. */
  add(from: InstitutionId, bytes: Uint8Array, final: FinalState, now: number): Admission {
    const isSelf = from === this.#options.self;
    if (!isSelf && this.#forged.isTooMany(from, now))
      return { kind: 'refused', reason: 'too many forged signatures' };
    const decoded = decodeTransaction(bytes);
    if (decoded.kind === 'refused') return { kind: 'refused', reason: decoded.reason };
    const { id, transaction } = decoded;
    const lane = goesFirst(transaction.body.type) ? this.#first : this.#rest;
    const known = lane.get(id);
    if (known !== undefined) {
      // It has its turn in the name of each who brought it: nobody can put it at the end of his own queue.
      if (!lane.isBroughtBy(id, from)) lane.add(from, known);
      return { kind: 'waiting', id, isNew: false };
    }
    if (!lane.hasRoom(from, bytes.length)) return { kind: 'full' };
    const isCostly = ({ body }: Transaction): boolean => bringsKeys(body.type);
    if (!isSelf && isCostly(transaction) && lane.countOf(from, isCostly) >= institutionKeyChangesMax)
      return { kind: 'full' };
    const outcome = this.#judge(transaction, final);
    if (outcome !== undefined && !outcome.later) {
      if (!isSelf && forgeries.has(outcome.reason)) this.#forged.note(from, judgedBy(transaction.body), now);
      return { kind: 'refused', reason: outcome.reason };
    }
    const ready = outcome === undefined;
    if (!lane.add(from, { id, bytes, transaction, since: now, ready, judgedAt: now }))
      return { kind: 'full' };
    return { kind: 'waiting', id, isNew: true };
  }

  /** True if a transaction waits that could stand in a block on top of these blocks' transactions. */
  hasWork(contained: ReadonlySet<TransactionId>): boolean {
    for (const { id, ready } of this.#all()) if (ready && !contained.has(id)) return true;
    return false;
  }

  /**
   * What a block may be built of: what owners take back, up to its part of the block; then the others, each institution
   * in its turn; those that build on others too. More of what owners take back comes along only where all of that
   * leaves room: whoever builds a block puts it in front, so what has no room must not be among the candidates.
   */
  candidates(contained: ReadonlySet<TransactionId>): Uint8Array[] {
    const first = this.#first.inTurn(blockTransactionsMax, contained);
    const rest = this.#rest.inTurn(blockTransactionsMax, contained);
    const firstPart = withinWork(first, firstWorkMax);
    const ordered = [...firstPart, ...rest];
    let room = blockTransactionBytesMax - ordered.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const workLeft = blockWorkMax - ordered.reduce((sum, waiting) => sum + workOf(waiting), 0);
    for (const more of withinWork(first.slice(firstPart.length), workLeft)) {
      room -= more.bytes.length;
      if (room < 0) break;
      ordered.push(more);
    }
    return ordered.slice(0, blockTransactionsMax).map(({ bytes }) => bytes);
  }

  /** A final block has changed its transaction key: honest boxes may have brought what did not fit it here. */
  keysChanged(institution: InstitutionId, now: number): void {
    this.#forged.keysChanged(institution, now);
  }

  /**
   * This box has built a block of the candidates. What was refused then has had its turn, and is judged again by the final
   * state: dropped if that refuses it for ever too.
   */
  built({ placed, refused }: BuiltOf, final: FinalState, now: number): Refusal[] {
    const ids = refused.map(transactionId);
    const all = new Set([...placed, ...ids]);
    for (const lane of [this.#first, this.#rest]) {
      for (const id of ids) lane.tried(id);
      lane.built(all);
    }
    return this.#recheck(ids, final, now);
  }

  /**
   * After a final block: those in it go; some of the others, in their turns, are judged anew, and dropped if they can
   * never apply, or have waited long and nobody here waits for them. Of those that applied it is asked again after a while
   * only: most still do, and a leader finds out when it builds.
   *
   * A box shares out the blocks that it builds itself. What others put into theirs counts for nobody: who brought each
   * box transactions of its own would have paid at each for one block of n, and the others, who bring theirs to all, for
   * all of them.
   */
  afterFinal({ ids, isOwn }: FinalTransactions, final: FinalState, now: number): Refusal[] {
    for (const id of ids) {
      for (const lane of [this.#first, this.#rest]) {
        if (isOwn) lane.served(id);
        else lane.remove(id);
      }
    }
    const givenUp: Refusal[] = [];
    for (const lane of [this.#first, this.#rest]) {
      for (const { id, since, ready } of [...lane.values()]) {
        if (ready || now - since <= waitingMsMax || this.#options.isAwaited(id)) continue;
        lane.remove(id);
        givenUp.push({ id, reason: 'does not apply yet, and nobody waits for it' });
      }
    }
    const next = [
      ...this.#first.inTurn(recheckedTransactionsMax),
      ...this.#rest.inTurn(recheckedTransactionsMax),
    ];
    const due = next.filter(({ ready, judgedAt }) => !ready || now - judgedAt >= readyRecheckMs);
    const judged = this.#recheck(
      due.map(({ id }) => id),
      final,
      now,
    );
    return [...givenUp, ...judged];
  }

  *#all(): Iterable<WaitingTransaction> {
    yield* this.#first.values();
    yield* this.#rest.values();
  }

  #recheck(ids: readonly TransactionId[], final: FinalState, now: number): Refusal[] {
    const refused: Refusal[] = [];
    for (const id of ids) {
      const waiting = this.#first.get(id) ?? this.#rest.get(id);
      if (waiting === undefined) continue;
      const outcome = this.#judge(waiting.transaction, final);
      waiting.ready = outcome === undefined;
      waiting.judgedAt = now;
      if (outcome === undefined || outcome.later) continue;
      this.#first.remove(id);
      this.#rest.remove(id);
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
