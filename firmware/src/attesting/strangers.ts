/**
 * Which stranger may have the TPM's time. All share one turn in a while, so that one of them who is always there first
 * would keep the others out: an address that was answered makes room for those that wait for their first answer. And whose
 * challenge this box could not answer is not heard for a while.
 */
import { RecentAddresses } from './recent-addresses.ts';

export class Strangers {
  readonly #wrong = new RecentAddresses();
  readonly #served = new RecentAddresses();
  /** Not served lately. */
  readonly #waiting = new RecentAddresses();

  /** @param now of any clock, milliseconds, as below. */
  mayTakeTurn(address: string, now: number): boolean {
    if (this.#wrong.has(address, now)) return false;
    return !this.#served.has(address, now) || this.#waiting.isEmpty(now);
  }

  /** It was told to ask again, since there was no turn. */
  waits(address: string, now: number): void {
    if (!this.#served.has(address, now)) this.#waiting.add(address, now);
  }

  /** It has one. */
  takesTurn(address: string, now: number): void {
    this.#waiting.delete(address);
    this.#served.add(address, now);
  }

  /** The turn that it had was for nothing. */
  wasWrong(address: string, now: number): void {
    this.#wrong.add(address, now);
  }
}
