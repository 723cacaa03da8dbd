/**
 * What wallets submit at this box. Anybody may, and what does not apply yet costs him no signature: so it has a part of
 * this institution's room alone, and does not wait for ever. The rest of the room is the hospital's own.
 */
import { AppError } from '../errors.ts';
import { decodeTransaction, goesFirst } from '../ledger/index.ts';
import type { TransactionId } from '../ledger/types.ts';
import type { Clock, Ledger, Submitted } from '../ports.ts';
import {
  walletLeftMs,
  walletRevocationsWaitingMax,
  walletTransactionsWaitingMax,
  walletTransactionValidMsMax,
} from './limits.ts';

/** Until when each counts that is not settled, UTC milliseconds. */
type Waiting = Map<TransactionId, number>;

export class WalletSubmissions {
  readonly #ledger: Pick<Ledger, 'submit'>;
  readonly #clock: Clock;
  /** Of what goes first, and of all else: they have rooms of their own on the ledger too. */
  readonly #first: Waiting = new Map();
  readonly #rest: Waiting = new Map();

  constructor(ledger: Pick<Ledger, 'submit'>, clock: Clock) {
    this.#ledger = ledger;
    this.#clock = clock;
  }

  /**
   * Refused if it is no transaction, or valid for longer than a wallet needs. @throws AppError BUSY if too many wait;
   * MEMPOOL_FULL; what the signal says.
   */
  async submit(bytes: Uint8Array, signal: AbortSignal): Promise<Submitted> {
    const decoded = decodeTransaction(bytes);
    if (decoded.kind === 'refused') return decoded;
    const { id, transaction } = decoded;
    const { type, validUntil } = transaction.body;
    const now = this.#clock.now();
    if (validUntil > now + walletTransactionValidMsMax) return { kind: 'refused', reason: 'valid-too-long' };
    const isFirst = goesFirst(type);
    const waiting = isFirst ? this.#first : this.#rest;
    forget(waiting, now);
    const waitingMax = isFirst ? walletRevocationsWaitingMax : walletTransactionsWaitingMax;
    if (!waiting.has(id) && waiting.size >= waitingMax)
      throw new AppError('BUSY', 'too many transactions of wallets wait for their block');
    waiting.set(id, Infinity);
    try {
      const submitted = await this.#ledger.submit(bytes, signal);
      waiting.delete(id);
      return submitted;
    } catch (error) {
      // The ledger gives up what nobody waits for, but not at once.
      waiting.set(id, this.#clock.now() + walletLeftMs);
      throw error;
    }
  }
}

function forget(waiting: Waiting, now: number): void {
  for (const [id, until] of waiting) if (until <= now) waiting.delete(id);
}
