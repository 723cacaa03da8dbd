/**
 * Who sends what does not decode is not read for a while: to find that out takes a box up to 15 ms, in which it does nothing
 * else (`messageItemsMax`), and one message may follow the other. The time goes by the length, so that a newer version's short
 * message, which this one does not know, costs its sender nothing to speak of. The same for signatures that do not verify:
 * a certificate has up to a few hundred of them, and nobody honest sends one that he has not made or checked.
 */
import type { Clock, InstitutionId } from '../ports.ts';
import { deafNsPerByte, deafToForgersMs } from './limits.ts';

export class Deafness {
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  /** UTC milliseconds. */
  readonly #until = new Map<InstitutionId, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  stop(): void {
    this.#abort.abort();
  }

  /** So many bytes of it did not decode. */
  refused(peer: InstitutionId, bytes: number): void {
    this.#for(peer, Math.ceil((bytes * deafNsPerByte) / 1e6));
  }

  /** A signature in it did not verify. */
  forged(peer: InstitutionId): void {
    this.#for(peer, deafToForgersMs);
  }

  /** What it says meanwhile, on a new connection too, is dropped unread. */
  isDeafTo(peer: InstitutionId): boolean {
    return this.#msLeft(peer) > 0;
  }

  /** Undefined if the peer is read; otherwise resolves when it is again, or the box stops. */
  over(peer: InstitutionId): Promise<void> | undefined {
    const ms = this.#msLeft(peer);
    return ms > 0 ? this.#wait(ms) : undefined;
  }

  #for(peer: InstitutionId, ms: number): void {
    this.#until.set(peer, Math.max(this.#until.get(peer) ?? 0, this.#clock.now() + ms));
  }

  async #wait(ms: number): Promise<void> {
    const { signal } = this.#abort;
    await this.#clock.sleep(ms, signal).catch((reason: unknown) => {
      if (!signal.aborted) throw reason;
    });
  }

  #msLeft(peer: InstitutionId): number {
    const left = (this.#until.get(peer) ?? -Infinity) - this.#clock.now();
    if (left <= 0) this.#until.delete(peer);
    return left;
  }
}
