/**
 * The grantee's one-time key of a grant, referral or emergency: derived by whoever makes it, recognised by the grantee,
 * checked by the source.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { hash } from '../encoding/hash.ts';
import type { BasisBody } from '../ledger/types.ts';
import type { Account, ScalarSigner } from './accounts.ts';
import { baseTimes, decodeScalar, readPublicKey } from './edwards25519.ts';
import { recogniseOneTime } from './owner-keys.ts';

/** A grant is a batch of one: index i of its derivation. */
export const grantKeyIndex = 0;

export interface RecognisedGrant {
  /** Signs with K_g. */
  readonly signer: ScalarSigner;
  /** t_g, 32 bytes: shown to the source with the request, and to nobody else. */
  readonly tweak: Uint8Array;
}

/**
 * The means to use a grant, referral or emergency, or undefined if it is not addressed to this institution's account at
 * itself.
 */
export function recogniseGrant(account: Account, grant: BasisBody): RecognisedGrant | undefined {
  const recognised = recogniseOneTime(account, {
    chain: grant.chain,
    ephemeral: grant.ephemeral,
    index: grantKeyIndex,
    tag: grant.tag,
    ownerKey: grant.granteeKey,
  });
  return recognised && { signer: recognised.signer, tweak: recognised.tweak };
}

/**
 * True if K_g = S + t_g·B: the grant is addressed to the account with this spend key, which the source reads from the
 * ledger's record of the member that asks.
 */
export function isGrantee(memberSpend: Uint8Array, tweak: Uint8Array, granteeKey: Uint8Array): boolean {
  const spend = readPublicKey(memberSpend);
  const scalar = decodeScalar(tweak);
  if (spend === undefined || scalar === undefined) return false;
  return equalBytes(spend.add(baseTimes(scalar)).toBytes(), granteeKey);
}

/**
 * The digest of a closing receipt: H("close", t_g ‖ openId ‖ C). Its salt is t_g, which source, grantee and owner know
 * and nobody else, so that they can tell what was received and the ledger cannot.
 */
export function closingDigest(tweak: Uint8Array, openId: Uint8Array, commitment: Uint8Array): Uint8Array {
  if (tweak.length !== 32 || openId.length !== 32 || commitment.length !== 32)
    throw new RangeError('tweak, open id and commitment have 32 bytes');
  return hash('close', tweak, openId, commitment);
}
