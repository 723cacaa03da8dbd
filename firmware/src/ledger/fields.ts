/** Strict reading of decoded CBOR: exact keys, exact lengths, ranges. Nothing is coerced, nothing is ignored. */
import { decodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import { institutionIdCharactersMax } from './limits.ts';
import type { DecodeRefusal } from './refusals.ts';

/** A canonical value that is not of the expected form. `message` begins with the path of the field. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';
}

/** Map with exactly these keys. @throws ShapeError */
export function mapField<Name extends string>(
  value: CborValue,
  path: string,
  names: readonly Name[],
): Readonly<Record<Name, CborValue>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw new ShapeError(`${path}: map expected`);
  }
  const map = value as Readonly<Record<string, CborValue>>;
  for (const name of names)
    if (!Object.hasOwn(map, name)) throw new ShapeError(`${path}: ${name} is missing`);
  if (Object.keys(map).length !== names.length) throw new ShapeError(`${path}: unknown field`);
  return map;
}

/** List of between min and max items. @throws ShapeError */
export function listField(value: CborValue, path: string, min: number, max: number): readonly CborValue[] {
  if (!Array.isArray(value)) throw new ShapeError(`${path}: list expected`);
  const list = value as readonly CborValue[];
  if (list.length < min || list.length > max)
    throw new ShapeError(`${path}: ${min} to ${max} items expected`);
  return list;
}

/** Byte string of exactly this length. @throws ShapeError */
export function bytesField(value: CborValue, path: string, length: number): Uint8Array {
  return boundedBytesField(value, path, length, length);
}

/** Byte string of a length between min and max. @throws ShapeError */
export function boundedBytesField(value: CborValue, path: string, min: number, max: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length < min || value.length > max) {
    throw new ShapeError(`${path}: ${min === max ? min : `${min} to ${max}`} bytes expected`);
  }
  return value;
}

/** Integer between min and max, both included. @throws ShapeError */
export function integerField(value: CborValue, path: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw new ShapeError(`${path}: integer from ${min} to ${max} expected`);
  }
  return value;
}

/** UTC milliseconds. @throws ShapeError */
export function timeField(value: CborValue, path: string): number {
  return integerField(value, path, 0, Number.MAX_SAFE_INTEGER);
}

/** @throws ShapeError */
export function booleanField(value: CborValue, path: string): boolean {
  if (typeof value !== 'boolean') throw new ShapeError(`${path}: boolean expected`);
  return value;
}

/** Well-formed text of 1 to max UTF-16 units without control characters. @throws ShapeError */
export function textField(value: CborValue, path: string, max: number): string {
  // \p{Cc}: control characters, \p{Cs}: halves of surrogate pairs, which UTF-8 cannot hold.
  if (typeof value !== 'string' || value.length < 1 || value.length > max || /[\p{Cc}\p{Cs}]/u.test(value)) {
    throw new ShapeError(`${path}: text of 1 to ${max} characters expected`);
  }
  return value;
}

const institutionIdPattern = new RegExp(`^[a-z0-9-]{1,${institutionIdCharactersMax}}$`);

/** Lower-case letters, digits and dashes. @throws ShapeError */
export function institutionIdField(value: CborValue, path: string): string {
  if (typeof value !== 'string' || !institutionIdPattern.test(value)) {
    throw new ShapeError(`${path}: id of an institution expected`);
  }
  return value;
}

/** What is refused before it is read: by its length, and by how many data items it has. */
export interface Extent {
  readonly bytesMax: number;
  readonly itemsMax: number;
}

/** Decodes canonical CBOR and reads it, or says why not. */
export function decodeStrictly<T>(
  bytes: Uint8Array,
  { bytesMax, itemsMax }: Extent,
  read: (value: CborValue) => T,
): { readonly kind: 'decoded'; readonly value: T } | DecodeRefusal {
  if (bytes.length > bytesMax) return tooLarge(bytes, bytesMax);
  let value: CborValue;
  try {
    value = decodeCanonical(bytes, itemsMax);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { kind: 'refused', reason: 'not-canonical', detail: error.message };
  }
  try {
    return { kind: 'decoded', value: read(value) };
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    return { kind: 'refused', reason: 'wrong-shape', detail: error.message };
  }
}

export function tooLarge({ length }: Uint8Array, bytesMax: number): DecodeRefusal {
  return { kind: 'refused', reason: 'too-large', detail: `${length} bytes, ${bytesMax} allowed` };
}
