/** What ties the parts of an attestation together: who asks whom, for which device and which record. */
import { concatBytes, lengthPrefixed, utf8 } from '../encoding/bytes.ts';
import { domainPrefix, hash, hmacSha256, sha256 } from '../encoding/hash.ts';
import type { Challenge } from './messages.ts';

/** A device is its three keys at once: none of them counts without the others (CVE-2021-3406, CVE-2022-1053). */
export interface DeviceNames {
  /** SHA-256 of the endorsement key's certificate, 32 bytes. */
  readonly endorsement: Uint8Array;
  /** Names of the attestation key and of the identity key, 34 bytes each. */
  readonly attestationKey: Uint8Array;
  readonly identityKey: Uint8Array;
}

/**
 * What the quote signs along: H("attestation", chain ‖ lp(verifier) ‖ lp(candidate) ‖ nonce ‖ endorsement ‖ Names ‖
 * SHA-256(record)). 32 bytes.
 */
export function attestationBinding(
  { chain, verifier, candidate, nonce }: Pick<Challenge, 'chain' | 'verifier' | 'candidate' | 'nonce'>,
  { endorsement, attestationKey, identityKey }: DeviceNames,
  record: Uint8Array,
): Uint8Array {
  return hash(
    'attestation',
    chain,
    lengthPrefixed(utf8(verifier)),
    lengthPrefixed(utf8(candidate)),
    nonce,
    endorsement,
    attestationKey,
    identityKey,
    sha256(record),
  );
}

/**
 * Shows that the TPM of the endorsement key gave out the secret, for this very quote, without telling the secret.
 * HMAC-SHA256, 32 bytes.
 */
export function attestationProof(secret: Uint8Array, binding: Uint8Array, attest: Uint8Array): Uint8Array {
  return hmacSha256(secret, concatBytes(domainPrefix('attestation-proof'), binding, sha256(attest)));
}
