/**
 * Arithmetic on edwards25519 that RFC 8032's interface does not offer: points from scalars that were derived, and
 * signatures made with them. Every verifier sees plain Ed25519. noble's multiplication hides the scalar as well as
 * JavaScript allows; nothing here promises constant time.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8 } from '../encoding/bytes.ts';

/** L: order of the base point (RFC 8032, section 5.1). */
export const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;

type Point = InstanceType<typeof ed25519.Point>;

function littleEndianInteger(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}

/** LE(64 bytes) mod L: reducing twice the order's length leaves no bias that matters. */
export function scalarFromWideBytes(bytes: Uint8Array): bigint {
  if (bytes.length !== 64) throw new RangeError('a wide scalar has 64 bytes');
  return littleEndianInteger(bytes) % groupOrder;
}

/** Little-endian, 32 bytes. */
export function encodeScalar(scalar: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  let rest = scalar;
  for (let i = 0; i < 32; i++) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** The scalar, or undefined if the bytes are not its one encoding (32 bytes, below L). */
export function decodeScalar(bytes: Uint8Array): bigint | undefined {
  if (bytes.length !== 32) return undefined;
  const scalar = littleEndianInteger(bytes);
  return scalar < groupOrder ? scalar : undefined;
}

/** sB, for any s below L. */
export function baseTimes(scalar: bigint): Point {
  return scalar === 0n ? ed25519.Point.ZERO : ed25519.Point.BASE.multiply(scalar);
}

/**
 * The point that a public key encodes, or undefined if the encoding is not RFC 8032's only one, or if the point lies
 * outside the subgroup of prime order or is its identity: verifiers disagree on signatures by such keys.
 */
export function readPublicKey(bytes: Uint8Array): Point | undefined {
  if (bytes.length !== 32) return undefined;
  const point = decodePoint(bytes);
  if (point === undefined || point.is0() || !point.isTorsionFree()) return undefined;
  return point;
}

function decodePoint(bytes: Uint8Array): Point | undefined {
  try {
    return ed25519.Point.fromBytes(bytes, false);
  } catch (cause) {
    // noble throws plain Errors for bytes that encode no point; a RangeError or TypeError would be a bug of ours.
    if (cause instanceof TypeError) throw cause;
    return undefined;
  }
}

/** Random bytes that one signature needs. */
export const signatureRandomBytes = 80;

/**
 * Ed25519 with a raw scalar k instead of a seed: ρ = SHA-512("hilum/nonce/1" ‖ k ‖ 80 random bytes ‖ A ‖ M) mod L,
 * then RFC 8032, section 5.1.6. The nonce depends on the key and the message too, so that weak randomness alone leaks
 * nothing. The caller verifies the signature before it leaves.
 */
export function signWithScalar(scalar: bigint, random: Uint8Array, message: Uint8Array): Uint8Array {
  if (random.length !== signatureRandomBytes) throw new RangeError('a signature needs 80 random bytes');
  if (scalar <= 0n || scalar >= groupOrder) throw new RangeError('scalar out of range');
  const publicKey = baseTimes(scalar).toBytes();
  const nonce = scalarFromWideBytes(
    sha512(concatBytes(utf8('hilum/nonce/1'), encodeScalar(scalar), random, publicKey, message)),
  );
  const commitment = baseTimes(nonce).toBytes();
  const challenge = scalarFromWideBytes(sha512(concatBytes(commitment, publicKey, message)));
  return concatBytes(commitment, encodeScalar((nonce + challenge * scalar) % groupOrder));
}
