/**
 * Proof that an institution holds the keys that it names. Without it a member could name a key that it has only seen,
 * and so keep another from ever having it: each signing key serves one institution.
 */
import { concatBytes, equalBytes, lengthPrefixed, utf8 } from '../../encoding/bytes.ts';
import { domainPrefix } from '../../encoding/hash.ts';
import type { BlockContext, ChainId } from '../types.ts';
import type { CertifiedKeys } from './institution-record.ts';

export const keyPurposes = ['voting', 'transaction', 'transport'] as const;
export type KeyPurpose = (typeof keyPurposes)[number];

/** By each of the three keys, Ed25519 over `possessionMessage`: 64 bytes. */
export type KeyPossession = Readonly<Record<KeyPurpose, Uint8Array>>;

/** In the place of the chain where there is none yet: in a genesis document, which makes it. */
export const noChain: ChainId = new Uint8Array(32);

/**
 * What a key signs to show that it belongs to this institution:
 * domain `possession` ‖ chain (32) ‖ lp(institution id) ‖ lp(purpose) ‖ key (32) ‖ identity key (65).
 */
export function possessionMessage(
  chain: ChainId,
  institution: string,
  purpose: KeyPurpose,
  { [purpose]: key, identity }: Pick<CertifiedKeys, KeyPurpose | 'identity'>,
): Uint8Array {
  return concatBytes(
    domainPrefix('possession'),
    chain,
    lengthPrefixed(utf8(institution)),
    lengthPrefixed(utf8(purpose)),
    key,
    identity,
  );
}

/** The proofs, by whoever signs with the three keys. */
export function provePossession(
  chain: ChainId,
  institution: string,
  keys: Pick<CertifiedKeys, KeyPurpose | 'identity'>,
  signers: Readonly<Record<KeyPurpose, { sign(message: Uint8Array): Uint8Array }>>,
): KeyPossession {
  const proof = (purpose: KeyPurpose): Uint8Array =>
    signers[purpose].sign(possessionMessage(chain, institution, purpose, keys));
  return {
    voting: proof('voting'),
    transaction: proof('transaction'),
    transport: proof('transport'),
  };
}

/**
 * True if each key signed for this institution on this chain. A proof that stands in the record `before` for the same key
 * and identity was judged when it came there, on this chain or in its genesis document.
 */
export function possesses(
  chain: ChainId,
  institution: string,
  keys: CertifiedKeys,
  before: CertifiedKeys | undefined,
  verify: BlockContext['verify'],
): boolean {
  return keyPurposes.every((purpose) => {
    const stands =
      before !== undefined &&
      equalBytes(before.identity, keys.identity) &&
      equalBytes(before[purpose], keys[purpose]) &&
      equalBytes(before.possession[purpose], keys.possession[purpose]);
    return (
      stands ||
      verify(keys[purpose], possessionMessage(chain, institution, purpose, keys), keys.possession[purpose])
    );
  });
}
