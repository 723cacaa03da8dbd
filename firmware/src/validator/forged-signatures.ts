/** Who brings transactions with wrong signatures: an honest box checks what it sends on, and each check costs time here. */
import type { InstitutionId } from '../ports.ts';
import { forgedCountMs, forgedTransactionsMax, keyChangeForgivenMs } from './limits.ts';

interface Count {
  readonly since: number;
  forged: number;
}

export class ForgedSignatures {
  readonly #counts = new Map<InstitutionId, Count>();
  #forgivenAt = Infinity;

  note(from: InstitutionId, now: number): void {
    this.#forgiveIfDue(now);
    const count = this.#counts.get(from);
    if (count === undefined || now - count.since >= forgedCountMs)
      this.#counts.set(from, { since: now, forged: 1 });
    else count.forged++;
  }

  /** True until the time for which it is counted is over: what this institution brings is not looked at meanwhile. */
  isTooMany(from: InstitutionId, now: number): boolean {
    this.#forgiveIfDue(now);
    const count = this.#counts.get(from);
    if (count === undefined || count.forged < forgedTransactionsMax) return false;
    if (now - count.since < forgedCountMs) return true;
    this.#counts.delete(from);
    return false;
  }

  /**
   * A final block has changed somebody's keys. What looked forged may have been signed with the new ones before this box
   * had the block, and what comes now with the old ones: both are forgiven, once each, so that a liar who changes keys
   * gains little.
   */
  keysChanged(now: number): void {
    this.#counts.clear();
    this.#forgivenAt = now + keyChangeForgivenMs;
  }

  #forgiveIfDue(now: number): void {
    if (now < this.#forgivenAt) return;
    this.#counts.clear();
    this.#forgivenAt = Infinity;
  }
}
