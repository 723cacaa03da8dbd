/**
 * What wallets submit at this box. Anybody may: so nothing is taken that no owner signs, and what does not apply yet,
 * which costs no true signature, has a part of this institution's room alone and does not wait for ever. What applies
 * is an owner's, leaves with the next block, and needs no such part.
 */
import { AppError } from '../errors.ts';
import { applyTransaction, decodeTransaction, goesFirst, isOwnersAct } from '../ledger/index.ts';
import type { Transaction, TransactionId } from '../ledger/types.ts';
import type { Clock, Ledger, Submitted, VerifySignature } from '../ports.ts';
import {
  walletLeftMs,
  walletRevocationsWaitingMax,
  walletTransactionsWaitingMax,
  walletTransactionValidMsMax,
} from './limits.ts';

export interface WalletSubmissionsOptions {
  readonly ledger: Pick<Ledger, 'submit' | 'head' | 'state'>;
  readonly clock: Clock;
  readonly verify: VerifySignature;
}

/** Until when each counts that is not settled, UTC milliseconds. */
type Waiting = Map<TransactionId, number>;

export class WalletSubmissions {
  readonly #options: WalletSubmissionsOptions;
  /** Of what goes first, and of all else: they have rooms of their own on the ledger too. */
  readonly #first: Waiting = new Map();
  readonly #rest: Waiting = new Map();

  constructor(options: WalletSubmissionsOptions) {
    this.#options = options;
  }

  /**
   * Refused if it is no transaction of an owner, or valid for longer than a wallet needs. @throws AppError BUSY if too
   * many wait that do not apply, this one among them; MEMPOOL_FULL; what the signal says.
   */
  async submit(bytes: Uint8Array, signal: AbortSignal): Promise<Submitted> {
    const decoded = decodeTransaction(bytes);
    if (decoded.kind === 'refused') return decoded;
    const { id, transaction } = decoded;
    const { type, validUntil } = transaction.body;
    const { ledger, clock } = this.#options;
    const now = clock.now();
    if (!isOwnersAct(type)) return { kind: 'refused', reason: 'not-an-owners' };
    if (validUntil > now + walletTransactionValidMsMax) return { kind: 'refused', reason: 'valid-too-long' };
    if (this.#applies(transaction)) return await ledger.submit(bytes, signal);
    const isFirst = goesFirst(type);
    const waiting = isFirst ? this.#first : this.#rest;
    forget(waiting, now);
    const waitingMax = isFirst ? walletRevocationsWaitingMax : walletTransactionsWaitingMax;
    if (!waiting.has(id) && waiting.size >= waitingMax)
      throw new AppError('BUSY', 'too many transactions of wallets wait for their block');
    waiting.set(id, Infinity);
    try {
      const submitted = await ledger.submit(bytes, signal);
      waiting.delete(id);
      return submitted;
    } catch (error) {
      // The ledger gives up what nobody waits for, but not at once.
      if (error instanceof AppError && error.code === 'MEMPOOL_FULL') waiting.delete(id);
      else waiting.set(id, clock.now() + walletLeftMs);
      throw error;
    }
  }

  /** To the final state here, in the next block. */
  #applies(transaction: Transaction): boolean {
    const { ledger, verify } = this.#options;
    const { height, time } = ledger.head();
    const context = { height: height + 1, time: time + 1, verify };
    return applyTransaction(ledger.state(), transaction, context).kind === 'applied';
  }
}

function forget(waiting: Waiting, now: number): void {
  for (const [id, until] of waiting) if (until <= now) waiting.delete(id);
}
