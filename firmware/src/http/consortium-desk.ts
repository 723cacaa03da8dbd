/** What the console shows and does about the consortium. box/ implements it by joining the rooms. */
import type { AttestationAnswer, ConsortiumView, ProposeBody } from './consortium-contract.ts';

/** A refusal is in words for the person who acted; nothing was changed then. */
export type Acted =
  | { readonly kind: 'done' }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'refused'; readonly reason: string };

/** The account that did it, for the audit trail. */
interface By {
  readonly account: string;
}

/** @throws AppError MEMPOOL_FULL, STORE_FAILED; of each act NOT_ADMITTED where the box is in no consortium. */
export interface ConsortiumDesk {
  /** Undefined where the box is in no consortium. From memory. */
  view(): ConsortiumView | undefined;
  propose(proposal: ProposeBody, by: By): Promise<Acted>;
  vote(proposal: string, approve: boolean, by: By): Promise<Acted>;
  /** Asks the candidate of an open proposal to attest; undefined if there is no such proposal. */
  attestCandidate(proposal: string, signal: AbortSignal): Promise<AttestationAnswer | undefined>;
  /** Other keys for transactions and connections, from the next block on. @throws AppError of the TPM too. */
  rotateKeys(by: By): Promise<Acted>;
  /** A document that offline keys have signed: the replacement of a dead box. */
  bring(document: Uint8Array, by: By): Promise<Acted>;
}
