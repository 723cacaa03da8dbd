import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { decodeCanonical, type CborValue } from '../../firmware/src/encoding/canonical-cbor.ts';

/** A CBOR value as JSON in a vector file: a byte string is `{ "hex": "…" }`. */
export type VectorValue =
  null | boolean | number | string | readonly VectorValue[] | { readonly [key: string]: VectorValue };

export function toVectorValue(value: CborValue): VectorValue {
  if (value instanceof Uint8Array) return { hex: toHex(value) };
  if (Array.isArray(value)) return (value as readonly CborValue[]).map(toVectorValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toVectorValue(item)]));
}

/** What these canonical bytes hold, as it stands in a vector file. */
export function vectorValueOf(encoded: string): VectorValue {
  return toVectorValue(decodeCanonical(fromHex(encoded)));
}
