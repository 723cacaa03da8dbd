import { statfs } from 'node:fs/promises';
import type { Clock, Logger, Service, Timer } from '../ports.ts';

const lookMs = 15_000;

/** Free space where the studies lie, looked at now and then so that showing it never waits for the disk. */
export class DiskSpace implements Service {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #freeBytes = 0;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(folder: string, clock: Clock, logger: Logger) {
    this.#folder = folder;
    this.#clock = clock;
    this.#logger = logger;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  async start(): Promise<void> {
    await this.#look();
  }

  stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    return Promise.resolve();
  }

  async #look(): Promise<void> {
    try {
      const { bavail, bsize } = await statfs(this.#folder);
      this.#freeBytes = bavail * bsize;
    } catch (error) {
      this.#logger.error({ error }, 'the free space of the data folder cannot be read');
    }
    if (this.#stopped) return;
    this.#timer = this.#clock.setTimer(lookMs, () => void this.#look());
  }
}
