/** A body as bytes: what ids are hashed from and signatures made over. */
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import type { BodyBase } from './types.ts';

/** Every body is a plain CBOR value: interfaces say what is in it, but TypeScript gives them no index signature. */
export function bodyValue(body: BodyBase): CborValue {
  return body as unknown as CborValue;
}

/** Canonical CBOR of the body. @throws RangeError if a field holds what CBOR here cannot. */
export function encodeBody(body: BodyBase): Uint8Array {
  return encodeCanonical(bodyValue(body));
}
