/**
 * Keeps the processors awake while objects arrive. A sender waits for each of its objects, and on its way one thread
 * waits for the next (socket, event loop, disk, response): a processor that went to sleep in between takes 20 to 100 µs
 * to wake each time. Linux bounds that for as long as a program holds a file open into which it wrote how many
 * microseconds it stands (PM QoS, /dev/cpu_dma_latency). It wants a right that a hospital may not give to the box: it
 * then receives more slowly, and that is all.
 */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { Clock, Logger, Service, Timer } from '../ports.ts';
import { awakeMs } from './limits.ts';

export interface AwakeProcessorsOptions {
  readonly isWanted: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Linux's own by default. */
  readonly path?: string;
}

const linuxPath = '/dev/cpu_dma_latency';

/** Microseconds, as the 32-bit integer of the machine: zero is the same on all. */
const noWait = new Uint8Array(Int32Array.of(0).buffer);

export class AwakeProcessors implements Service {
  readonly #options: Required<AwakeProcessorsOptions>;
  #isWanted: boolean;
  /** It is said once. */
  #isRefused = false;
  /** They are held awake, or about to be, until it has run with nothing that came meanwhile. */
  #timer: Timer | undefined;
  #hasCome = false;
  #file: FileHandle | undefined;
  /** Opening and closing, one after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: AwakeProcessorsOptions) {
    this.#options = { path: linuxPath, ...options };
    this.#isWanted = options.isWanted;
  }

  /** Tries once, so that the log says at the start what cannot be had. */
  start(): Promise<void> {
    this.needed();
    return this.#turn;
  }

  /** An object comes: they stay awake from now on until `awakeMs` to twice that after the last. */
  needed(): void {
    if (!this.#isWanted) return;
    this.#hasCome = true;
    if (this.#timer !== undefined) return;
    this.#inTurn(() => this.#hold());
    this.#await();
  }

  async stop(): Promise<void> {
    this.#isWanted = false;
    this.#release();
    await this.#turn;
  }

  #await(): void {
    this.#hasCome = false;
    this.#timer = this.#options.clock.setTimer(awakeMs, () => {
      if (this.#hasCome) this.#await();
      else this.#release();
    });
  }

  #release(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#inTurn(async () => {
      const file = this.#file;
      this.#file = undefined;
      await file?.close();
    });
  }

  #inTurn(run: () => Promise<void>): void {
    this.#turn = this.#turn.then(run).catch((error: unknown) => {
      if (this.#isRefused) return;
      this.#isRefused = true;
      this.#options.logger.info(
        { reason: error instanceof Error ? error.message : String(error) },
        'the processors may sleep between two objects, which makes reception slower',
      );
    });
  }

  async #hold(): Promise<void> {
    if (this.#file !== undefined) return;
    // Neither made nor emptied: it is there or it is not.
    this.#file = await open(this.#options.path, constants.O_WRONLY);
    await this.#file.write(noWait);
  }
}
