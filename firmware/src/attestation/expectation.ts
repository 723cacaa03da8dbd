/** What a verifier knows before it asks. */
import type { ChainId, Institution } from '../ledger/types.ts';
import type { EndorsementTrust } from './endorsement-chain.ts';

export interface Expectation {
  readonly chain: ChainId;
  /** Institution ids. */
  readonly verifier: string;
  readonly candidate: string;
  readonly trust: EndorsementTrust;
  /** The candidate's record as the ledger or its proposal has it; undefined before there is one. */
  readonly record: Institution | undefined;
  /** That record is a proposal's: somebody carried it here, who may have put in a root or an address of his own. */
  readonly proposed: boolean;
  /** What PCR 7 may hold; none: nothing to hold it against, which only a simulator passes. */
  readonly bootAuthorities: readonly Uint8Array[];
  /**
   * Digests of the releases that the consortium accepted, against which the final value of PCR 11 is held; none: nothing to
   * hold it against, which only a simulator passes.
   */
  readonly releases: readonly Uint8Array[];
  /** UTC milliseconds. */
  readonly now: number;
}
