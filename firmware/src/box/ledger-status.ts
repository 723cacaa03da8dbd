/** What the console shows of the ledger on this box: how far it has come where it is behind, and what it takes on disk. */
import type { Overview } from '../http/contract.ts';
import type { Clock, FinalBlock, Logger, Unsubscribe } from '../ports.ts';
import type { Validator } from '../validator/validator.ts';
import { ledgerSizeMs } from './limits.ts';

export type LedgerStatus = Pick<Overview['ledger'], 'catchingUp' | 'bytes'>;

export class LedgerStatusBoard {
  readonly #validator: Pick<Validator, 'consensus' | 'bytes' | 'onFinal'>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #bytes = 0;
  #measuredAt = -Infinity;

  constructor(validator: Pick<Validator, 'consensus' | 'bytes' | 'onFinal'>, clock: Clock, logger: Logger) {
    this.#validator = validator;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Measures now and then, when a block has become final. */
  start(): Unsubscribe {
    return this.#validator.onFinal((final) => this.#measure(final));
  }

  status(): LedgerStatus {
    const { catchingUp } = this.#validator.consensus();
    if (catchingUp === undefined) return { bytes: this.#bytes, catchingUp: null };
    const { by, done, of, perSecond, secondsLeft } = catchingUp;
    return { bytes: this.#bytes, catchingUp: { by, done, of, perSecond, secondsLeft: secondsLeft ?? null } };
  }

  #measure({ block }: FinalBlock): void {
    const now = this.#clock.now();
    if (now - this.#measuredAt < ledgerSizeMs && block.header.height > 1) return;
    this.#measuredAt = now;
    this.#validator.bytes().then(
      (bytes) => (this.#bytes = bytes),
      // A piece of the log may be dropped while it is measured: the figure of before stands until the next time.
      (error: unknown) => this.#logger.warn({ error }, 'the size of the ledger could not be measured'),
    );
  }
}
