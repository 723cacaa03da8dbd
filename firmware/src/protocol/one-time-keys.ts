/**
 * The derivation that both sides share: from the X25519 agreement between an ephemeral key and an account's view key
 * to the one-time key, its tag and the key of what is said about it. HKDF with SHA-512 throughout.
 * prk = Extract("hilum/owner/1", D ‖ chain ‖ lp(I) ‖ R ‖ V ‖ S); tag = Expand(prk, "tag" ‖ u32 i, 1);
 * t = LE(Expand(prk, "tweak" ‖ u32 i, 64)) mod L.
 */
import { x25519 } from '@noble/curves/ed25519.js';
import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, lengthPrefixed, u32, utf8 } from '../encoding/bytes.ts';
import { scalarFromWideBytes } from './edwards25519.ts';

export interface DerivationContext {
  readonly chain: Uint8Array;
  readonly institution: string;
  /** R */
  readonly ephemeral: Uint8Array;
  /** V */
  readonly view: Uint8Array;
  /** S */
  readonly spend: Uint8Array;
}

/** X25519 (RFC 7748); undefined if the peer's key has small order, which makes the agreement zero for any key. */
export function agree(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  if (privateKey.length !== 32 || publicKey.length !== 32) throw new RangeError('an X25519 key has 32 bytes');
  try {
    return x25519.getSharedSecret(privateKey, publicKey);
  } catch (cause) {
    // Lengths were checked: what noble still refuses with a plain Error is the zero agreement.
    if (cause instanceof TypeError || cause instanceof RangeError) throw cause;
    return undefined;
  }
}

/** prk, 64 bytes: secret of the source and the owner. */
export function extractKey(shared: Uint8Array, context: DerivationContext): Uint8Array {
  const { chain, institution, ephemeral, view, spend } = context;
  const material = concatBytes(shared, chain, lengthPrefixed(utf8(institution)), ephemeral, view, spend);
  return extract(sha512, material, utf8('hilum/owner/1'));
}

/** 0 to 255. */
export function deriveTag(prk: Uint8Array, index: number): number {
  return expand(sha512, prk, concatBytes(utf8('tag'), u32(index)), 1)[0] as number;
}

/** t */
export function deriveTweak(prk: Uint8Array, index: number): bigint {
  return scalarFromWideBytes(expand(sha512, prk, concatBytes(utf8('tweak'), u32(index)), 64));
}

/** Key of a study's note, AES-256: bound to the commitment, so that each version of a note has its own. */
export function deriveNoteKey(prk: Uint8Array, index: number, commitment: Uint8Array): Uint8Array {
  if (commitment.length !== 32) throw new RangeError('a commitment has 32 bytes');
  return expand(sha512, prk, concatBytes(utf8('note'), u32(index), commitment), 32);
}
