/** A body as bytes: what ids are hashed from and signatures made over. */
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import type { BodyBase } from './types.ts';

/** Every body is a plain CBOR value: interfaces say what is in it, but TypeScript gives them no index signature. */
export function bodyValue(body: BodyBase): CborValue {
  return body as unknown as CborValue;
}

/** Encodings of bodies that are in use: each is asked for by its ids and its signatures, several times. */
const encodings = new WeakMap<BodyBase, Uint8Array>();

/**
 * Canonical CBOR of the body. Neither the body nor these bytes may be changed afterwards.
 * @throws RangeError if a field holds what CBOR here cannot.
 */
export function encodeBody(body: BodyBase): Uint8Array {
  const known = encodings.get(body);
  if (known !== undefined) return known;
  const encoded = encodeCanonical(bodyValue(body));
  encodings.set(body, encoded);
  return encoded;
}
