/**
 * The least pace of a peer in the midst of a message. Without it a byte now and then, always just before the time for
 * silence is over, would hold an association's place for ever. Looked at from time to time rather than with each read, so
 * that a fast peer costs nothing, and without asking what time it is, since the time of day may be corrected.
 */
import type { Clock, Timer } from '../src/ports.ts';
import { paceBytesMin, paceLookMs, paceMsMax } from './limits.ts';

export interface PaceOptions {
  readonly clock: Clock;
  /** What the peer has to go on with: a PDU or message has begun and not ended. */
  midway(): boolean;
  /** Whether we read: it is not to blame for what we hold back. */
  reading(): boolean;
  /** Told once. */
  tooSlow(): void;
}

export class Pace {
  readonly #options: PaceOptions;
  #timer: Timer | undefined;
  #received = 0;
  #waitedMs = 0;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.setTimer(paceLookMs, () => {
      this.#look();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  received(bytes: number): void {
    this.#received += bytes;
  }

  #look(): void {
    const peer = this.#options;
    if (!peer.midway() || this.#received >= paceBytesMin) {
      this.#received = 0;
      this.#waitedMs = 0;
    } else if (peer.reading()) {
      this.#waitedMs += paceLookMs;
    }
    if (this.#waitedMs < paceMsMax) {
      this.start();
      return;
    }
    this.#timer = undefined;
    peer.tooSlow();
  }
}
