/** Key derivations of the TPM 2.0 Library Specification, part 1, section 11.4.10. */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha384 } from '@noble/hashes/sha2.js';
import { concatBytes, u32, utf8 } from '../encoding/bytes.ts';
import type { EndorsementHash } from './public-area.ts';

const functions = { 'SHA-256': sha256, 'SHA-384': sha384 } as const;

/** Labels end in a zero octet (part 1, 11.4.10.1). */
export function label(text: string): Uint8Array {
  return utf8(`${text}\0`);
}

export function digestBytesOf(hash: EndorsementHash): number {
  return functions[hash].outputLen;
}

/** The first bytes of the blocks that a derivation makes, as many as asked for: whole bytes always, here. */
function expand(bits: number, block: (counter: Uint8Array) => Uint8Array): Uint8Array {
  const bytes = bits / 8;
  const key = new Uint8Array(bytes);
  for (let filled = 0, counter = 1; filled < bytes; counter++) {
    const next = block(u32(counter)).subarray(0, bytes - filled);
    key.set(next, filled);
    filled += next.length;
  }
  return key;
}

/** KDFa (11.4.10.2): HMAC in counter mode, SP 800-108. */
export function kdfA(
  hash: EndorsementHash,
  key: Uint8Array,
  use: string,
  context: Uint8Array,
  bits: number,
): Uint8Array {
  return expand(bits, (counter) =>
    hmac(functions[hash], key, concatBytes(counter, label(use), context, u32(bits))),
  );
}

/** KDFe (11.4.10.3): hash of a Diffie-Hellman secret, SP 800-56A. The parties are the x-coordinates of their keys. */
export function kdfE(
  hash: EndorsementHash,
  shared: Uint8Array,
  use: string,
  partyU: Uint8Array,
  partyV: Uint8Array,
): Uint8Array {
  return expand(8 * digestBytesOf(hash), (counter) =>
    functions[hash](concatBytes(counter, shared, label(use), partyU, partyV)),
  );
}

export function hmacOf(hash: EndorsementHash, key: Uint8Array, message: Uint8Array): Uint8Array {
  return hmac(functions[hash], key, message);
}
