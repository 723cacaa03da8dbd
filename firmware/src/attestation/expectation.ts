/** What a verifier knows before it asks. */
import type { DeviceRecord } from '../ledger/consortium/institution-record.ts';
import type { ChainId, Institution } from '../ledger/types.ts';
import type { ResetCount } from './attest.ts';
import type { EndorsementTrust } from './endorsement-chain.ts';

/** A TPM that a member has shown to this verifier that it has. */
export interface ProvenTpm {
  readonly institution: string;
  readonly device: DeviceRecord;
  /** As `Verdict` has it; undefined of the verifier's own TPM, under whose identity key nobody else can stand. */
  readonly endorsementKey: Uint8Array | undefined;
}

/** Firmware that made keys which are still in use, and that the consortium names no more. */
export interface FormerOrigins {
  readonly bootAuthorities: readonly Uint8Array[];
  readonly releases: readonly Uint8Array[];
}

export const noFormerOrigins: FormerOrigins = { bootAuthorities: [], releases: [] };

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
  /**
   * One box stands for one member. What members only name says nothing: anybody may name another's TPM, to be told for it.
   */
  readonly provenTpms: readonly ProvenTpm[];
  /** What PCR 7 may hold; none: nothing to hold it against, which only a simulator passes. */
  readonly bootAuthorities: readonly Uint8Array[];
  /**
   * Digests of the releases that the consortium accepted, against which the final value of PCR 11 is held; none: nothing to
   * hold it against, which only a simulator passes.
   */
  readonly releases: readonly Uint8Array[];
  /**
   * What was named and accepted when the candidate's device came onto the ledger, and was dropped since: it judges who made
   * its keys, which nobody can make anew without another record, and never what runs.
   */
  readonly former: FormerOrigins;
  /** What the last verdict proved, if the candidate has put its questioner off since. */
  readonly evadedSince: ResetCount | undefined;
  /** UTC milliseconds. */
  readonly now: number;
}
