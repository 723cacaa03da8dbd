/**
 * A source that amends its study again and again and does not give up: what one box does not answer it brings to
 * another. Some amendments are under way before those that they follow are final.
 */
import { encodeTransaction, transactionId } from '../../firmware/src/ledger/index.ts';
import type { TransactionId } from '../../firmware/src/ledger/types.ts';
import type { Submitted } from '../../firmware/src/ports.ts';
import type { Validator } from '../../firmware/src/validator/validator.ts';
import { signerOf } from '../fakes/ledger.ts';
import type { EventQueue } from './event-queue.ts';
import type { Random } from './random.ts';
import type { SimFixture } from './sim-fixture.ts';

export interface ClientOptions {
  readonly random: Random;
  readonly events: EventQueue;
  readonly fixture: SimFixture;
  /** Institution in whose name it acts. */
  readonly source: string;
  /** Validators that run and are honest. */
  readonly running: () => readonly Validator[];
  readonly answered: (id: TransactionId, outcome: Submitted) => void;
}

interface Waiting {
  readonly id: TransactionId;
  readonly bytes: Uint8Array;
  submittedAt: number;
}

const underWayMax = 6;
const patienceMs = 4000;

export class Client {
  readonly #options: ClientOptions;
  readonly #transactions: Iterator<Uint8Array>;
  readonly #waiting = new Map<TransactionId, Waiting>();
  #isDone = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#transactions = transactionsOf(options.fixture, options.source);
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
    const { random, events } = this.#options;
    const now = events.now;
    for (const waiting of this.#waiting.values())
      if (now - waiting.submittedAt > patienceMs) this.#submit(waiting);
    if (!this.#isDone && this.#waiting.size < underWayMax) {
      const bytes = this.#transactions.next().value as Uint8Array;
      const waiting = { id: transactionId(bytes), bytes, submittedAt: now };
      this.#waiting.set(waiting.id, waiting);
      this.#submit(waiting);
    }
    events.after(random.between(20, 2000), () => this.#turn());
  }

  #submit(waiting: Waiting): void {
    const { random, running, events, answered } = this.#options;
    waiting.submittedAt = events.now;
    const validators = running();
    const validator = validators[random.below(validators.length)];
    validator?.submit(waiting.bytes).then(
      (outcome) => {
        if (this.#waiting.delete(waiting.id)) answered(waiting.id, outcome);
      },
      // The box has stopped or cannot write: another one is asked after a while.
      () => (waiting.submittedAt = events.now),
    );
  }
}

/** A registration, then its amendments without end. */
function* transactionsOf(fixture: SimFixture, source: string): Generator<Uint8Array, never> {
  const { transaction, ids } = fixture.register(source, `sim ${source}`, [signerOf('owner')]);
  const [study] = ids;
  if (study === undefined) throw new Error('nothing was registered');
  yield encodeTransaction(transaction);
  for (let version = 2; ; version++) yield encodeTransaction(fixture.amend(source, study, version));
}
