/** Addresses whose challenges this box could not answer: for a while they get none of the TPM's time. */
import { wrongStrangerMs, wrongStrangersMax } from './limits.ts';

export class WrongStrangers {
  /** When each of them was wrong, oldest first. */
  readonly #at = new Map<string, number>();

  /** @param now of any clock, milliseconds. */
  isHeld(address: string, now: number): boolean {
    const at = this.#at.get(address);
    return at !== undefined && now < at + wrongStrangerMs;
  }

  hold(address: string, now: number): void {
    this.#at.delete(address);
    this.#at.set(address, now);
    for (const [oldest, at] of this.#at) {
      if (this.#at.size <= wrongStrangersMax && now < at + wrongStrangerMs) return;
      this.#at.delete(oldest);
    }
  }
}
