/** Strict reading of decoded CBOR: what is not exactly as expected is refused, never repaired. */
import { decodeCanonical, type CborValue } from './canonical-cbor.ts';

export type CborMap = { readonly [key: string]: CborValue };

/** The value, or undefined if the bytes are not canonical CBOR. */
export function decodeIfCanonical(bytes: Uint8Array): CborValue | undefined {
  try {
    return decodeCanonical(bytes);
  } catch (cause) {
    if (cause instanceof RangeError) return undefined;
    throw cause;
  }
}

/** The map if it has these keys and no others. */
export function mapWith(value: CborValue | undefined, keys: readonly string[]): CborMap | undefined {
  if (value === undefined || value === null || typeof value !== 'object') return undefined;
  if (Array.isArray(value) || value instanceof Uint8Array) return undefined;
  const map = value as CborMap;
  const exact = Object.keys(map).length === keys.length && keys.every((key) => Object.hasOwn(map, key));
  return exact ? map : undefined;
}

export function isBytes(value: CborValue | undefined, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length;
}

export function isList(value: CborValue | undefined): value is readonly CborValue[] {
  return Array.isArray(value);
}

/** Non-negative. */
export function isCount(value: CborValue | undefined, max: number): value is number {
  return typeof value === 'number' && value >= 0 && value <= max;
}

const encoder = new TextEncoder();

/** Text of at most so many UTF-8 bytes, without lone surrogates, which UTF-8 cannot carry. */
export function isText(value: CborValue | undefined, bytesMax: number): value is string {
  return typeof value === 'string' && value.isWellFormed() && encoder.encode(value).length <= bytesMax;
}
