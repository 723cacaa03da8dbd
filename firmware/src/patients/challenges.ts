import { randomBytes } from 'node:crypto';
import { toHex } from '../encoding/bytes.ts';
import type { Clock } from '../ports.ts';
import { challengeMsMax, challengesMax } from './limits.ts';

/** Nonces that a wallet signs to open its mailbox: each serves once, within a minute. */
export class Challenges {
  readonly #clock: Clock;
  readonly #expiries = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  issue(): Uint8Array {
    const [oldest] = this.#expiries.keys();
    if (this.#expiries.size >= challengesMax && oldest !== undefined) this.#expiries.delete(oldest);
    const nonce = randomBytes(16);
    this.#expiries.set(toHex(nonce), this.#clock.now() + challengeMsMax);
    return nonce;
  }

  /** True once for a nonce that was issued and has not lapsed. */
  use(nonce: Uint8Array): boolean {
    const key = toHex(nonce);
    const expiry = this.#expiries.get(key);
    this.#expiries.delete(key);
    return expiry !== undefined && this.#clock.now() < expiry;
  }
}
