/** Addresses of strangers of which something was found a moment ago. */
import { strangerHoldMs, strangersRememberedMax } from './limits.ts';

export class RecentAddresses {
  /** When it was found of each of them, oldest first. */
  readonly #at = new Map<string, number>();

  /** @param now of any clock, milliseconds. */
  has(address: string, now: number): boolean {
    this.#forgetBefore(now);
    return this.#at.has(address);
  }

  /** Whether there is any. */
  isEmpty(now: number): boolean {
    this.#forgetBefore(now);
    return this.#at.size === 0;
  }

  add(address: string, now: number): void {
    this.#at.delete(address);
    this.#at.set(address, now);
    const [oldest] = this.#at.keys();
    if (this.#at.size > strangersRememberedMax && oldest !== undefined) this.#at.delete(oldest);
  }

  delete(address: string): void {
    this.#at.delete(address);
  }

  #forgetBefore(now: number): void {
    for (const [address, at] of this.#at) {
      if (now < at + strangerHoldMs) return;
      this.#at.delete(address);
    }
  }
}
