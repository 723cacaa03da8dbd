/** What the rules of the transaction families share. */
import type { RuleReason } from './refusals.ts';
import type { LedgerSnapshot } from './state.ts';
import type { BlockContext, InstitutionRecord } from './types.ts';

/** What a rule may ask: height and time of the block, and whether these keys signed the transaction, in this order. */
export interface RuleContext {
  readonly height: number;
  /** Block time, UTC milliseconds. */
  readonly time: number;
  readonly signedBy: (...publicKeys: readonly Uint8Array[]) => boolean;
  /** The transaction's signatures, as many as its type's `signers` says. */
  readonly signatures: readonly Uint8Array[];
  /** Ed25519, for signatures that a body holds. */
  readonly verify: BlockContext['verify'];
}

/** The state after the transaction, or why it does not apply. */
export type Outcome = LedgerSnapshot | RuleReason;

/** The institution as a signer: known, and its certified keys still valid in block time. */
export function signingInstitution(
  state: LedgerSnapshot,
  id: string,
  time: number,
): InstitutionRecord | Extract<RuleReason, 'unknown-institution' | 'institution-keys-expired'> {
  const institution = state.institution(id);
  if (institution === undefined) return 'unknown-institution';
  return time < institution.keys.expiry ? institution : 'institution-keys-expired';
}
