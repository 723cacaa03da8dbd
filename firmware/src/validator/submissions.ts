/** Own transactions and those who wait for their finality. */
import type { BlockHeader, TransactionId } from '../ledger/types.ts';
import type { Submitted } from '../ports.ts';
import { finalTransactionsKeptMax } from './limits.ts';
import type { Refusal } from './mempool.ts';

interface Submission {
  readonly bytes: Uint8Array;
  readonly outcome: PromiseWithResolvers<Submitted>;
  sentAt: number;
  /** How many wait for it. */
  awaited: number;
}

export class Submissions {
  readonly #waiting = new Map<TransactionId, Submission>();
  /** Oldest first. */
  readonly #final = new Map<TransactionId, Submitted>();

  /** The outcome if the transaction is final already, or the promise for which one more waits now. */
  known(id: TransactionId): Promise<Submitted> | undefined {
    const final = this.#final.get(id);
    if (final !== undefined) return Promise.resolve(final);
    const submission = this.#waiting.get(id);
    if (submission === undefined) return undefined;
    submission.awaited++;
    return submission.outcome.promise;
  }

  /** One of those who wait for it has gone. */
  leave(id: TransactionId): void {
    const submission = this.#waiting.get(id);
    if (submission !== undefined) submission.awaited--;
  }

  isAwaited(id: TransactionId): boolean {
    return (this.#waiting.get(id)?.awaited ?? 0) > 0;
  }

  add(id: TransactionId, bytes: Uint8Array, now: number): Promise<Submitted> {
    const outcome = Promise.withResolvers<Submitted>();
    this.#waiting.set(id, { bytes, outcome, sentAt: now, awaited: 1 });
    return outcome.promise;
  }

  /** Submissions not sent since that time; they count as sent now. */
  unsentSince(time: number, now: number): Uint8Array[] {
    const due: Uint8Array[] = [];
    for (const submission of this.#waiting.values()) {
      if (submission.sentAt > time) continue;
      submission.sentAt = now;
      due.push(submission.bytes);
    }
    return due;
  }

  /** All that wait, for a peer that has just connected. */
  all(): Uint8Array[] {
    return [...this.#waiting.values()].map(({ bytes }) => bytes);
  }

  becameFinal(ids: readonly TransactionId[], { height, time }: BlockHeader): void {
    for (const id of ids) {
      this.#settle(id, { kind: 'final', height, time });
      this.#final.set(id, { kind: 'final', height, time });
      if (this.#final.size > finalTransactionsKeptMax) this.#forgetOldest();
    }
  }

  refused(refusals: readonly Refusal[]): void {
    for (const { id, reason } of refusals) this.#settle(id, { kind: 'refused', reason });
  }

  /** Nothing more will be known, since the box stops. */
  fail(reason: Error): void {
    for (const { outcome } of this.#waiting.values()) outcome.reject(reason);
    this.#waiting.clear();
  }

  #settle(id: TransactionId, submitted: Submitted): void {
    this.#waiting.get(id)?.outcome.resolve(submitted);
    this.#waiting.delete(id);
  }

  #forgetOldest(): void {
    for (const oldest of this.#final.keys()) {
      this.#final.delete(oldest);
      return;
    }
  }
}
