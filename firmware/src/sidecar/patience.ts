/** How long the archive is waited for while it brings a study: as long as it shows that it is at work. */
import { AppError } from '../errors.ts';
import type { Clock, Timer } from '../ports.ts';
import { pullMsMax } from './limits.ts';

export interface PatienceOptions {
  /** AE title of the archive. */
  readonly archive: string;
  /** Without any sign of life for so long, it is given up. */
  readonly silenceMsMax: number;
  readonly clock: Clock;
}

/** For one pull. Signs of life are responses to the C-MOVE, and objects of the study that arrive on other associations. */
export class Patience {
  readonly #options: PatienceOptions;
  readonly #ended = new AbortController();
  readonly #whole: Timer;
  #silence: Timer;
  #heardAt: number;

  constructor(options: PatienceOptions) {
    this.#options = options;
    const { clock, silenceMsMax } = options;
    this.#heardAt = clock.now();
    this.#silence = clock.setTimer(silenceMsMax, () => this.#look());
    this.#whole = clock.setTimer(pullMsMax, () => this.#end('took too long'));
  }

  /** Fires with an AppError ARCHIVE_FAILED when patience has ended. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** A sign of life. */
  heard(): void {
    this.#heardAt = this.#options.clock.now();
  }

  /** The pull is over. */
  stop(): void {
    this.#silence.cancel();
    this.#whole.cancel();
  }

  #look(): void {
    const { clock, silenceMsMax } = this.#options;
    const leftMs = this.#heardAt + silenceMsMax - clock.now();
    if (leftMs <= 0) this.#end(`brought nothing for ${silenceMsMax / 60_000} min`);
    // A clock that was set back must not make it wait longer.
    else this.#silence = clock.setTimer(Math.min(leftMs, silenceMsMax), () => this.#look());
  }

  #end(how: string): void {
    this.stop();
    this.#ended.abort(new AppError('ARCHIVE_FAILED', `a C-MOVE from ${this.#options.archive} ${how}`));
  }
}
