import { decode, decodeOptions, encode } from '@ipld/dag-cbor';
import { decode as decodeItems, Tokenizer } from 'cborg';
import { equalBytes } from './bytes.ts';

/** What may be encoded: no floats, no undefined, no links. */
export type CborValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly CborValue[]
  | { readonly [key: string]: CborValue };

/** UTF-8 has no form for half a surrogate pair: encoders replace it, and two texts would share their bytes. */
function assertText(text: string): void {
  if (!text.isWellFormed()) throw new RangeError('CBOR text is not well-formed Unicode');
}

function assertEncodable(value: unknown, depth: number): void {
  if (depth > 16) throw new RangeError('CBOR nested deeper than 16');
  if (value === null || typeof value === 'boolean') return;
  if (typeof value === 'string') {
    assertText(value);
    return;
  }
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0))
      throw new RangeError('CBOR number is not a safe integer');
    return;
  }
  if (value instanceof Uint8Array) return;
  if (Array.isArray(value)) {
    for (const item of value) assertEncodable(item, depth + 1);
    return;
  }
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    for (const [key, item] of Object.entries(value)) {
      assertText(key);
      assertEncodable(item, depth + 1);
    }
    return;
  }
  throw new RangeError('value has no canonical CBOR form');
}

/** Deterministic dag-cbor. @throws RangeError for floats, undefined and other values without one canonical form. */
export function encodeCanonical(value: CborValue): Uint8Array {
  assertEncodable(value, 0);
  // The codec returns pieces of 64 KiB chunks, under Node often Buffers, whose slice() shares memory: a kept record of
  // 300 bytes would hold its whole chunk.
  return new Uint8Array(encode(value));
}

/** Reads no further than so many data items: each takes a byte at least, but time and memory of many. */
class BoundedTokenizer extends Tokenizer {
  #left: number;

  constructor(bytes: Uint8Array, itemsMax: number) {
    super(bytes, decodeOptions);
    this.#left = itemsMax;
  }

  override next(): ReturnType<Tokenizer['next']> {
    if (--this.#left < 0) throw new RangeError('too many data items');
    return super.next();
  }
}

/**
 * Strict dag-cbor: decode, encode again, compare (@ipld/dag-cbor alone accepts unsorted maps and other forms).
 * @param itemsMax data items (RFC 8949, section 1.2; a key of a map is one) that are read before the rest is refused. What
 * others have sent always has such a bound: 4 MB of the densest CBOR take a box the better part of a second.
 * @throws RangeError if the bytes are not the canonical encoding of an allowed value.
 */
export function decodeCanonical(bytes: Uint8Array, itemsMax = Infinity): CborValue {
  // Not as a Buffer, whose slice() shares memory.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  let value: CborValue;
  try {
    value = decodeItems(plain, {
      ...decodeOptions,
      tokenizer: new BoundedTokenizer(plain, itemsMax),
    }) as CborValue;
  } catch (cause) {
    throw new RangeError('not dag-cbor', { cause });
  }
  if (!equalBytes(encodeCanonical(value), bytes)) throw new RangeError('not canonical dag-cbor');
  return value;
}

/**
 * What `encodeCanonical` made here, and was authenticated as ours since: it is not encoded again to be compared, which
 * takes three times as long as to decode it. Never for what others may have made. Byte strings are copies: a few bytes
 * that are kept do not hold all that they came with.
 * @throws RangeError if it is no dag-cbor.
 */
export function decodeOwn(bytes: Uint8Array): CborValue {
  try {
    // Not as a Buffer, whose slice() shares memory.
    return decode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
  } catch (cause) {
    throw new RangeError('not dag-cbor', { cause });
  }
}
