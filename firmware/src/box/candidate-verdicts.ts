/** Whose box has proved itself lately: without that this hospital says yes to nobody. */
import type { Attestation } from '../attestation/verify.ts';
import { firstFailure } from '../attestation/verdict.ts';
import { encodeRecord } from '../attestation/judge-record.ts';
import { toHex } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import type { Institution } from '../ledger/types.ts';
import type { Clock } from '../ports.ts';
import { candidateVerdictMsMax } from './limits.ts';

/** @throws AppError PEER_UNREACHABLE, PEER_MISBEHAVED, or the signal's reason. */
export type AttestCandidate = (candidate: Institution, signal: AbortSignal) => Promise<Attestation>;

/** One word of another key, name or address makes it another record, which nobody has proved. */
function keyOf(candidate: Institution): string {
  return toHex(sha256(encodeRecord(candidate)));
}

export class CandidateVerdicts {
  readonly #attest: AttestCandidate;
  readonly #clock: Clock;
  /** Until when a pass counts, UTC milliseconds, by the record's digest. Lost in a restart: it is asked again. */
  readonly #provedUntil = new Map<string, number>();

  constructor(attest: AttestCandidate, clock: Clock) {
    this.#attest = attest;
    this.#clock = clock;
  }

  /** Asks it now; what it proved before counts no more. @throws what `AttestCandidate` throws. */
  async ask(candidate: Institution, signal: AbortSignal): Promise<Attestation> {
    const key = keyOf(candidate);
    this.#provedUntil.delete(key);
    const attestation = await this.#attest(candidate, signal);
    const now = this.#clock.now();
    for (const [other, until] of this.#provedUntil) if (until <= now) this.#provedUntil.delete(other);
    if (attestation.kind === 'judged' && attestation.verdict.passed)
      this.#provedUntil.set(key, now + candidateVerdictMsMax);
    return attestation;
  }

  /** Undefined if its box has not proved this record, or too long ago. */
  provedUntil(candidate: Institution): number | undefined {
    const until = this.#provedUntil.get(keyOf(candidate));
    return until !== undefined && until > this.#clock.now() ? until : undefined;
  }
}

/** Why there is no pass, for a person. */
export function withoutPass(attestation: Attestation): string {
  if (attestation.kind === 'refused')
    return `The box of the candidate does not prove itself: ${attestation.reason}.`;
  return firstFailure(attestation.verdict)?.finding ?? 'Nothing was judged.';
}
