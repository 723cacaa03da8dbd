/**
 * Makes spare logs while the box rests. One that is being made stops at the next step when a study is written to, and
 * goes on when there is peace again.
 */
import type { Clock, Logger, Service, Timer } from '../ports.ts';
import type { StoredFile } from './file-system.ts';
import { takesNothing } from './full-disk.ts';
import { spareQuietMs, spareRetryMs, spareStepBytes } from './limits.ts';
import type { SpareLogs } from './spare-logs.ts';

export interface SpareLogMakerOptions {
  readonly spares: SpareLogs;
  /** Spares that are kept ready. */
  readonly count: number;
  /** Bytes of each. */
  readonly bytes: number;
  /** Bytes of each that are written and flushed at a time. */
  readonly stepBytes?: number;
  /** Whether the disk would still be ample with so many bytes more on it; looked at, not remembered. */
  readonly hasRoom: (bytes: number) => Promise<boolean>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A spare of which so many zeros are on disk. */
interface Begun {
  readonly path: string;
  readonly file: StoredFile;
  bytes: number;
}

export class SpareLogMaker implements Service {
  readonly #options: Required<SpareLogMakerOptions>;
  #begun: Begun | undefined;
  #seenUses = 0;
  #timer: Timer | undefined;
  #working: Promise<void> = Promise.resolve();
  /** No more are made: the box stops, or the disk failed. */
  #hasEnded = false;
  #toldFull = false;

  constructor(options: SpareLogMakerOptions) {
    this.#options = { stepBytes: spareStepBytes, ...options };
    options.spares.onTaken(() => this.#await(spareQuietMs));
  }

  start(): Promise<void> {
    this.#await(spareQuietMs);
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#hasEnded = true;
    await this.giveBack();
  }

  /** All space of spares, at once: the disk is getting full, or the box stops. New ones follow when there is room. */
  async giveBack(): Promise<void> {
    const { spares } = this.#options;
    // Whatever step is under way is the last.
    spares.noticeUse();
    this.#await(spareRetryMs);
    await this.#working;
    await this.#discard();
  }

  #await(ms: number): void {
    this.#timer?.cancel();
    if (this.#hasEnded) return;
    this.#timer = this.#options.clock.setTimer(ms, () => {
      this.#working = this.#working.then(() => this.#work());
    });
  }

  async #work(): Promise<void> {
    const { spares, count, bytes, hasRoom } = this.#options;
    const isQuiet = spares.uses === this.#seenUses;
    this.#seenUses = spares.uses;
    if (!isQuiet) return this.#await(spareQuietMs);
    try {
      for (;;) {
        const missing = count - spares.count;
        // Also after the last, so that whoever judges the disk knows of it.
        const isAmple = await hasRoom(missing * bytes - (this.#begun?.bytes ?? 0));
        if (missing <= 0) return;
        if (!isAmple) return this.#await(spareRetryMs);
        if (!(await this.#make())) return this.#await(spareQuietMs);
      }
    } catch (error) {
      await this.#giveUp(error);
    }
  }

  /** Goes on with the spare that was begun; false if somebody else wants the disk. */
  async #make(): Promise<boolean> {
    const { spares, bytes, stepBytes } = this.#options;
    const zeros = new Uint8Array(Math.min(stepBytes, bytes));
    const begun = (this.#begun ??= { ...(await spares.begin()), bytes: 0 });
    while (begun.bytes < bytes) {
      if (spares.uses !== this.#seenUses) return false;
      await begun.file.write([zeros.subarray(0, bytes - begun.bytes)], begun.bytes);
      // Little by little, so that a study that begins finds no queue of zeros before the disk.
      await begun.file.datasync();
      begun.bytes += Math.min(zeros.length, bytes - begun.bytes);
    }
    this.#begun = undefined;
    spares.put({ ...begun });
    return true;
  }

  /** A disk that is full after all has better uses; one that fails is told by the next study that is written to it. */
  async #giveUp(error: unknown): Promise<void> {
    const { logger } = this.#options;
    if (!takesNothing(error)) {
      this.#hasEnded = true;
      logger.error({ error }, 'no more space is prepared for studies: the disk fails');
    } else if (!this.#toldFull) {
      this.#toldFull = true;
      logger.info({ error }, 'no space is prepared for studies while the disk is full');
    }
    await this.#discard();
    this.#await(spareRetryMs);
  }

  /** What cannot be removed now is removed at the next start. */
  async #discard(): Promise<void> {
    const { spares } = this.#options;
    const begun = this.#begun;
    this.#begun = undefined;
    await Promise.allSettled([begun && spares.discard(begun), spares.discardAll()]);
  }
}
