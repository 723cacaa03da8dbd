/**
 * How many releases each member has opened here in the present epoch. What a source may sign in an epoch is bounded on the
 * ledger (`accessRecordsOfEpochMax`), where nobody sees whose opens they are: without shares one member with a few grants
 * would use it up, and keep all others, and the hospital's own acts, waiting for a day.
 */
import type { InstitutionId } from '../ports.ts';
import { opensOfMemberMax } from './limits.ts';

export class OpenShares {
  #epoch = -1;
  readonly #opens = new Map<InstitutionId, number>();

  /** Counts one more. False: the member has had its share; it counts anew in the next epoch, or when the box starts again. */
  take(member: InstitutionId, epoch: number): boolean {
    if (epoch !== this.#epoch) this.#opens.clear();
    this.#epoch = epoch;
    const opens = this.#opens.get(member) ?? 0;
    if (opens >= opensOfMemberMax) return false;
    this.#opens.set(member, opens + 1);
    return true;
  }
}
