/** The one rule for signatures on the ledger: what node:crypto accepts (docs/formats.md). */
import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { toHex } from '../encoding/bytes.ts';
import { byIdentityRule } from '../ledger/index.ts';
import type { VerifySignature } from '../ports.ts';

/** Keys that are met again and again: validators and institutions. One-time keys pass through. */
const keysCachedMax = 4_096;
const cache = new Map<string, KeyObject>();

function ed25519Key(publicKey: Uint8Array): KeyObject {
  const id = toHex(publicKey);
  const cached = cache.get(id);
  if (cached !== undefined) return cached;
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') };
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const [oldest] = cache.keys();
  if (cache.size >= keysCachedMax && oldest !== undefined) cache.delete(oldest);
  cache.set(id, key);
  return key;
}

/** Ed25519, RFC 8032. Keys or signatures of other lengths verify nothing. */
export const verifyEd25519: VerifySignature = (publicKey, message, signature) =>
  publicKey.length === 32 &&
  signature.length === 64 &&
  verify(null, message, ed25519Key(publicKey), signature);

/** Signatures of identity keys; node:crypto is twenty times as fast as what a transaction is judged with. */
export const verifyP256 = byIdentityRule((publicKey, message, signature) => {
  const [x, y] = [publicKey.subarray(1, 33), publicKey.subarray(33)].map((half) =>
    Buffer.from(half).toString('base64url'),
  );
  try {
    const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: x!, y: y! }, format: 'jwk' });
    return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch (error) {
    // A point off the curve is no key: an answer, not a fault.
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
});
