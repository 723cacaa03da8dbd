/**
 * The one rule for signatures of identity keys (the TPM's, P-256), wherever they are judged: in the genesis document, in
 * transactions, in handovers. Implementations of ECDSA agree but on the form: node:crypto and WebCrypto accept both s and
 * n − s, with which anybody could change a signature that somebody else made. So the form is judged here, and the rest by
 * whatever implementation the platform has.
 */
import { p256 } from '@noble/curves/nist.js';

type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

declare const brand: unique symbol;
/**
 * ECDSA P-256 with SHA-256 over the message by the rule: key 65 bytes (SEC 1, uncompressed), signature 64 bytes r ‖ s with
 * s in the low half. `byIdentityRule` makes it of an implementation, and nothing else does.
 */
export type VerifyIdentity = Verify & { readonly [brand]: 'VerifyIdentity' };

/** (n − 1) / 2: the largest s of the low half. */
const halfOrder = p256.Point.Fn.ORDER >> 1n;

function isLow(s: Uint8Array): boolean {
  return s.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n) <= halfOrder;
}

/** What the implementation says of keys and signatures of the right form; false of all others. */
export function byIdentityRule(ecdsa: Verify): VerifyIdentity {
  const verify: Verify = (publicKey, message, signature) =>
    publicKey.length === 65 &&
    publicKey[0] === 4 &&
    signature.length === 64 &&
    isLow(signature.subarray(32)) &&
    ecdsa(publicKey, message, signature);
  return verify as VerifyIdentity;
}

/** With @noble/curves, for transactions: there are few in a block, so that its speed does not matter. */
export const verifyIdentitySignature = byIdentityRule(
  (publicKey, message, signature) =>
    p256.utils.isValidPublicKey(publicKey, false) &&
    p256.verify(signature, message, publicKey, { prehash: true, lowS: true, format: 'compact' }),
);
