/** Which public keys may own a study or receive a grant. */
import { ed25519 } from '@noble/curves/ed25519.js';

/**
 * True if these 32 bytes are the canonical encoding (RFC 8032, section 5.1.2) of a point of edwards25519 that has the
 * prime order L: not the identity, no small order, no torsion. With any other key, verifiers that multiply by the
 * cofactor and those that do not may disagree about a signature, and then boxes and light clients about the ledger.
 */
export function isPrimeOrderKey(key: Uint8Array): boolean {
  let point: InstanceType<typeof ed25519.Point>;
  try {
    point = ed25519.Point.fromBytes(key);
  } catch (error) {
    // noble's word for "no point" or "not canonical"; its other errors would be bugs of ours.
    if (!(error instanceof Error)) throw error;
    return false;
  }
  return !point.is0() && point.isTorsionFree();
}
