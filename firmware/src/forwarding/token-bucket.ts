/** A rate limit: bytes are paid for before they are sent, and a second's worth may be saved up. */
import type { Clock } from '../ports.ts';
import { pacedPieceBytes } from './limits.ts';

export class TokenBucket {
  readonly #bytesPerSecond: number;
  readonly #clock: Clock;
  #level: number;
  #at: number;

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
    this.#level = bytesPerSecond;
    this.#at = clock.now();
  }

  /** The bytes in small pieces, each when the rate allows it. */
  async *pace(dataSet: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array> {
    for await (const chunk of dataSet) {
      for (let offset = 0; offset < chunk.length; offset += pacedPieceBytes) {
        const piece = chunk.subarray(offset, offset + pacedPieceBytes);
        await this.#take(piece.length, signal);
        yield piece;
      }
    }
  }

  /** A clock that was set back gives nothing and takes nothing. */
  async #take(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const gained = (Math.max(0, now - this.#at) * this.#bytesPerSecond) / 1_000;
    this.#at = now;
    this.#level = Math.min(this.#bytesPerSecond, this.#level + gained) - bytes;
    if (this.#level < 0)
      await this.#clock.sleep(Math.ceil((-this.#level * 1_000) / this.#bytesPerSecond), signal);
  }
}
