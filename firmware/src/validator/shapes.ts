/** Reading what a decoded CBOR value should be. All throw RangeError, which the decoders turn into a refusal. */
import type { CborValue } from '../encoding/canonical-cbor.ts';

export type CborMap = Readonly<Record<string, CborValue>>;

/** A map with exactly these keys. */
export function mapWith(value: CborValue | undefined, keys: readonly string[]): CborMap {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw new RangeError('not a map');
  }
  const map = value as CborMap;
  if (Object.keys(map).length !== keys.length || keys.some((key) => !Object.hasOwn(map, key))) {
    throw new RangeError(`not exactly the keys ${keys.join(', ')}`);
  }
  return map;
}

export function bytesIn(value: CborValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new RangeError('not bytes');
  return value;
}

export function digestIn(value: CborValue | undefined): Uint8Array {
  const bytes = bytesIn(value);
  if (bytes.length !== 32) throw new RangeError('not 32 bytes');
  return bytes;
}

/** A view, height or count. */
export function counterIn(value: CborValue | undefined): number {
  if (typeof value !== 'number' || value < 0) throw new RangeError('not a counter');
  return value;
}

export function listIn(value: CborValue | undefined, lengthMax: number): readonly CborValue[] {
  if (!Array.isArray(value) || value.length > lengthMax)
    throw new RangeError(`not a list of at most ${lengthMax}`);
  return value as readonly CborValue[];
}

/** The text under `type`, which tells what a map is; empty if there is none. */
export function typeOf(value: CborValue): string {
  const isMap =
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
  const type = isMap ? (value as CborMap)['type'] : undefined;
  return typeof type === 'string' ? type : '';
}
