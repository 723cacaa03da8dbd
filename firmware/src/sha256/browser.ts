/** SHA-256 (FIPS 180-4) and HMAC with it (RFC 2104) for browsers, whose own answer too late: they give promises. */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';

export { sha256 };

export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return hmac(sha256, key, message);
}
