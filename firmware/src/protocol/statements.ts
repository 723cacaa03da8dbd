/**
 * Commitments to what persons signed at an institution, which keeps it: the consent of a patient without a wallet, what
 * two named persons attest when a study goes to another owner, a second clinician's confirmation of an emergency.
 */
import { lengthPrefixed } from '../encoding/bytes.ts';
import { hash, type Domain } from '../encoding/hash.ts';
import { saltBytes } from './commitments.ts';

export type StatementKind = Extract<Domain, 'consent' | 'attestations' | 'confirmation'>;

/**
 * H(kind, salt ‖ lp(statement) …). The salt is 32 random bytes that are kept with the statements: without it nobody can
 * test a guess. @throws RangeError for another length of the salt, or no statement.
 */
export function statementDigest(
  kind: StatementKind,
  salt: Uint8Array,
  ...statements: readonly Uint8Array[]
): Uint8Array {
  if (salt.length !== saltBytes) throw new RangeError(`a salt has ${saltBytes} bytes`);
  if (statements.length === 0) throw new RangeError('nothing is stated');
  return hash(kind, salt, ...statements.map(lengthPrefixed));
}
