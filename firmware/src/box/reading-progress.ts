/** Says how far a start has come: a box that holds a million objects reads their records for more than a minute. */
import type { Clock, Logger } from '../ports.ts';
import type { LoadProgress } from '../studies/catalogue.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { readingToldMs } from './limits.ts';

export class ReadingProgress implements LoadProgress {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #of = 0;
  #read = 0;
  #objects = 0;
  #toldAt: number;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
    this.#toldAt = clock.now();
  }

  found(studies: number): void {
    this.#of = studies;
  }

  read(study: KeptStudy): void {
    this.#read++;
    this.#objects += study.objects.length;
    const now = this.#clock.now();
    // A clock that is set meanwhile, forwards or back, makes it say more or say less, and nothing else.
    if (Math.abs(now - this.#toldAt) < readingToldMs) return;
    this.#toldAt = now;
    const { read, of, objects } = { read: this.#read, of: this.#of, objects: this.#objects };
    this.#logger.info({ read, of, objects }, 'the studies that are held are being read');
  }
}
