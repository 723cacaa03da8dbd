/** What the attestation key signs about the making of a box's keys, besides what the TPM itself says of it. */
import { hash } from '../../src/encoding/hash.ts';

/**
 * extraData of the quote that the firmware makes once it has made the keys and taken the TPM without a break, and never
 * otherwise: H("key-origin", Name of the identity key ‖ Name of the attestation key), 32 bytes.
 */
export function originStatement(identityName: Uint8Array, attestationName: Uint8Array): Uint8Array {
  return hash('key-origin', identityName, attestationName);
}
