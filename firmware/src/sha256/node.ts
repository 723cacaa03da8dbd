/** SHA-256 (FIPS 180-4) by OpenSSL, which uses the processor's own instructions. */
import { hash } from 'node:crypto';

/** 32 bytes in memory of their own. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', bytes, 'buffer'));
}
