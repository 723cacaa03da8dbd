/** Who brings transactions with wrong signatures: an honest box checks what it sends on, and each check costs time here. */
import type { InstitutionId } from '../ports.ts';
import { forgedCountMs, forgedTransactionsMax } from './limits.ts';

interface Count {
  readonly since: number;
  forged: number;
}

export class ForgedSignatures {
  readonly #counts = new Map<InstitutionId, Count>();

  note(from: InstitutionId, now: number): void {
    const count = this.#counts.get(from);
    if (count === undefined || now - count.since >= forgedCountMs)
      this.#counts.set(from, { since: now, forged: 1 });
    else count.forged++;
  }

  /** True until the time for which it is counted is over: what this institution brings is not looked at meanwhile. */
  isTooMany(from: InstitutionId, now: number): boolean {
    const count = this.#counts.get(from);
    if (count === undefined || count.forged < forgedTransactionsMax) return false;
    if (now - count.since < forgedCountMs) return true;
    this.#counts.delete(from);
    return false;
  }
}
