/** Who brings transactions with wrong signatures: an honest box checks what it sends on, and each check costs time here. */
import type { TransactionBody } from '../ledger/types.ts';
import type { InstitutionId } from '../ports.ts';
import { forgedCountMs, forgedTransactionsMax, keyChangeForgivenMs } from './limits.ts';

interface Count {
  readonly since: number;
  /** By whose keys they were judged; undefined: an owner's or a grantee's, which never change. */
  readonly judgedBy: Map<InstitutionId | undefined, number>;
}

interface KeyChange {
  readonly at: number;
  /** What was still under way is forgiven, too. */
  forgivenAgain: boolean;
}

/** The institution whose keys a transaction must fit, if it is one of an institution. */
export function judgedBy(body: TransactionBody): InstitutionId | undefined {
  if ('institution' in body) return body.institution;
  if ('source' in body) return body.source;
  if ('proposer' in body) return body.proposer;
  return 'reporter' in body ? body.reporter : undefined;
}

export class ForgedSignatures {
  readonly #counts = new Map<InstitutionId, Count>();
  readonly #changes = new Map<InstitutionId, KeyChange>();

  /** `by`: whose keys it did not fit. */
  note(from: InstitutionId, by: InstitutionId | undefined, now: number): void {
    this.#forgiveIfDue(now);
    let count = this.#counts.get(from);
    if (count === undefined || now - count.since >= forgedCountMs) {
      count = { since: now, judgedBy: new Map() };
      this.#counts.set(from, count);
    }
    count.judgedBy.set(by, (count.judgedBy.get(by) ?? 0) + 1);
  }

  /** True until the time for which it is counted is over: what this institution brings is not looked at meanwhile. */
  isTooMany(from: InstitutionId, now: number): boolean {
    this.#forgiveIfDue(now);
    const count = this.#counts.get(from);
    if (count === undefined) return false;
    const forged = [...count.judgedBy.values()].reduce((sum, number) => sum + number, 0);
    if (forged < forgedTransactionsMax) return false;
    if (now - count.since < forgedCountMs) return true;
    this.#counts.delete(from);
    return false;
  }

  /**
   * A final block has changed the transaction key of an institution. What looked forged of it may have been signed with
   * the new one before this box had the block, and what comes now with the old one: both are forgiven, whoever brought
   * them, once each. Another change within the time for which it is counted forgives nothing, so that a liar who changes
   * keys all the time gains little.
   */
  keysChanged(institution: InstitutionId, now: number): void {
    this.#forgiveIfDue(now);
    if (this.#changes.has(institution)) return;
    this.#changes.set(institution, { at: now, forgivenAgain: false });
    this.#forgive(institution);
  }

  #forgiveIfDue(now: number): void {
    for (const [institution, change] of this.#changes) {
      if (!change.forgivenAgain && now - change.at >= keyChangeForgivenMs) {
        change.forgivenAgain = true;
        this.#forgive(institution);
      }
      if (now - change.at >= forgedCountMs) this.#changes.delete(institution);
    }
  }

  #forgive(institution: InstitutionId): void {
    for (const [from, count] of this.#counts) {
      count.judgedBy.delete(institution);
      if (count.judgedBy.size === 0) this.#counts.delete(from);
    }
  }
}
