/** Submits one transaction after the other and does not give up: what one box does not answer it brings to another. */
import { transactionId } from '../../firmware/src/ledger/index.ts';
import type { TransactionId } from '../../firmware/src/ledger/types.ts';
import type { Submitted } from '../../firmware/src/ports.ts';
import type { Validator } from '../../firmware/src/validator/validator.ts';
import type { EventQueue } from './event-queue.ts';
import type { Random } from './random.ts';

export interface ClientOptions {
  readonly random: Random;
  readonly events: EventQueue;
  readonly transactions: Iterator<Uint8Array>;
  /** How many may wait for an answer at a time. */
  readonly underWayMax: number;
  /** Greatest pause between two. */
  readonly pauseMsMax: number;
  /** Validators that run and are honest. */
  readonly running: () => readonly Validator[];
  /** What a validator says, whose head was at this height when it was asked. False: another one may know better. */
  readonly answered: (id: TransactionId, outcome: Submitted, height: number) => boolean;
}

interface Waiting {
  readonly id: TransactionId;
  readonly bytes: Uint8Array;
  submittedAt: number;
}

const patienceMs = 4000;

export class Client {
  readonly #options: ClientOptions;
  readonly #waiting = new Map<TransactionId, Waiting>();
  #isDone = false;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Submissions without an answer. */
  get waiting(): number {
    return this.#waiting.size;
  }

  begin(): void {
    this.#turn();
  }

  /** Nothing new from now on; what waits is brought forward further. */
  finish(): void {
    this.#isDone = true;
  }

  #turn(): void {
    const { random, events, transactions, underWayMax, pauseMsMax } = this.#options;
    const now = events.now;
    for (const waiting of this.#waiting.values())
      if (now - waiting.submittedAt > patienceMs) this.#submit(waiting);
    if (!this.#isDone && this.#waiting.size < underWayMax) {
      const { value, done } = transactions.next() as IteratorResult<Uint8Array, undefined>;
      if (done === true) this.#isDone = true;
      else this.#begin(value);
    }
    events.after(random.between(20, pauseMsMax), () => this.#turn());
  }

  #begin(bytes: Uint8Array): void {
    const waiting = { id: transactionId(bytes), bytes, submittedAt: 0 };
    this.#waiting.set(waiting.id, waiting);
    this.#submit(waiting);
  }

  #submit(waiting: Waiting): void {
    const { random, running, events, answered } = this.#options;
    waiting.submittedAt = events.now;
    const validators = running();
    const validator = validators[random.below(validators.length)];
    if (validator === undefined) return;
    const { height } = validator.head();
    validator.submit(waiting.bytes).then(
      (outcome) => {
        if (this.#waiting.has(waiting.id) && answered(waiting.id, outcome, height))
          this.#waiting.delete(waiting.id);
      },
      // The box has stopped or cannot write: another one is asked after a while.
      () => (waiting.submittedAt = events.now),
    );
  }
}
