/** How one kind of record of the state is written and read: canonical CBOR, read strictly (docs/formats.md, "State"). */
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import { decodeStrictly, integerField } from './fields.ts';
import { stateValueBytesMax, stateValueItemsMax } from './limits.ts';
import type { DecodeRefusal } from './refusals.ts';

export interface RecordFormat<T> {
  encode(record: T): Uint8Array;
  decode(bytes: Uint8Array): { readonly kind: 'decoded'; readonly value: T } | DecodeRefusal;
}

export function recordFormat<T>(
  write: (record: T) => CborValue,
  read: (value: CborValue) => T,
): RecordFormat<T> {
  const extent = { bytesMax: stateValueBytesMax, itemsMax: stateValueItemsMax };
  return {
    encode: (record) => encodeCanonical(write(record)),
    decode: (bytes) => decodeStrictly(bytes, extent, read),
  };
}

/** A count, sequence number or height from 0 on. @throws ShapeError */
export function counterField(value: CborValue, path: string): number {
  return integerField(value, path, 0, Number.MAX_SAFE_INTEGER);
}
