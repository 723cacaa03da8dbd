/**
 * The one canonical form of dag-cbor (docs/formats.md), written and read by our own code: everything on the ledger and
 * between boxes passes through here. @ipld/dag-cbor reads more than that form, so that it would have to decode, encode
 * again and compare, and took a quarter of a busy box's time; here each head is refused on the spot if it is not the
 * shortest, and each map if its keys are out of order. Tests hold both against each other.
 */

/** What may be encoded: no floats, no undefined, no links. */
export type CborValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly CborValue[]
  | { readonly [key: string]: CborValue };

/** A value inside 16 lists or maps is the deepest. */
const depthMax = 16;

const unsigned = 0;
const negative = 1;
const byteString = 2;
const textString = 3;
const list = 4;
const map = 5;
const falseByte = 0xf4;
const trueByte = 0xf5;
const nullByte = 0xf6;

const utf8Encoder = new TextEncoder();
/** A byte order mark is a character like any other. */
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** Longer texts are decoded faster by the platform than by joining characters. Bytes. */
const joinedTextBytesMax = 32;

// eslint-disable-next-line no-control-regex -- what is one byte in UTF-8
const ascii = /^[\u0000-\u007f]*$/;

/** Where values are written before their length is known: one for all, since nothing here waits. */
let scratch = new Uint8Array(65_536);
let view = new DataView(scratch.buffer);
let written = 0;

function reserve(bytes: number): void {
  if (written + bytes <= scratch.length) return;
  const grown = new Uint8Array(Math.max(2 * scratch.length, written + bytes));
  grown.set(scratch.subarray(0, written));
  scratch = grown;
  view = new DataView(grown.buffer);
}

/** The first byte of an item and its number, in the shortest form. */
function writeHead(major: number, value: number): void {
  reserve(9);
  const first = major << 5;
  if (value < 24) {
    scratch[written++] = first | value;
  } else if (value < 0x100) {
    scratch[written++] = first | 24;
    scratch[written++] = value;
  } else if (value < 0x1_0000) {
    scratch[written] = first | 25;
    view.setUint16(written + 1, value);
    written += 3;
  } else if (value < 0x1_0000_0000) {
    scratch[written] = first | 26;
    view.setUint32(written + 1, value);
    written += 5;
  } else {
    scratch[written] = first | 27;
    view.setUint32(written + 1, Math.floor(value / 0x1_0000_0000));
    view.setUint32(written + 5, value % 0x1_0000_0000);
    written += 9;
  }
}

function writeText(text: string): void {
  if (ascii.test(text)) {
    writeHead(textString, text.length);
    reserve(text.length);
    for (let at = 0; at < text.length; at++) scratch[written++] = text.charCodeAt(at);
    return;
  }
  // UTF-8 has no form for half a surrogate pair: encoders replace it, and two texts would share their bytes.
  if (!text.isWellFormed()) throw new RangeError('CBOR text is not well-formed Unicode');
  const bytes = utf8Encoder.encode(text);
  writeHead(textString, bytes.length);
  reserve(bytes.length);
  scratch.set(bytes, written);
  written += bytes.length;
}

function writeNumber(value: number): void {
  if (!Number.isSafeInteger(value) || Object.is(value, -0))
    throw new RangeError('CBOR number is not a safe integer');
  if (value >= 0) writeHead(unsigned, value);
  else writeHead(negative, -1 - value);
}

/** By length in UTF-8, then by bytes. Code units sort as their bytes do only where each is one byte. */
function canonicalOrder(a: string, b: string): number {
  if (ascii.test(a) && ascii.test(b)) return a.length - b.length || (a < b ? -1 : 1);
  const [first, second] = [utf8Encoder.encode(a), utf8Encoder.encode(b)];
  return first.length - second.length || compareRange(first, 0, second, 0, first.length);
}

function compareRange(a: Uint8Array, aFrom: number, b: Uint8Array, bFrom: number, length: number): number {
  for (let at = 0; at < length; at++) {
    const difference = (a[aFrom + at] as number) - (b[bFrom + at] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

function write(value: unknown, depth: number): void {
  if (depth > depthMax) throw new RangeError(`CBOR nested deeper than ${depthMax}`);
  if (typeof value === 'string') {
    writeText(value);
  } else if (typeof value === 'number') {
    writeNumber(value);
  } else if (value instanceof Uint8Array) {
    writeHead(byteString, value.length);
    reserve(value.length);
    scratch.set(value, written);
    written += value.length;
  } else if (value === null || typeof value === 'boolean') {
    reserve(1);
    scratch[written++] = value === null ? nullByte : value ? trueByte : falseByte;
  } else if (Array.isArray(value)) {
    writeHead(list, value.length);
    for (const item of value) write(item, depth + 1);
  } else if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    const fields = value as Readonly<Record<string, unknown>>;
    const keys = Object.keys(fields).sort(canonicalOrder);
    writeHead(map, keys.length);
    for (const key of keys) {
      writeText(key);
      write(fields[key], depth + 1);
    }
  } else {
    throw new RangeError('value has no canonical CBOR form');
  }
}

/** Deterministic dag-cbor. @throws RangeError for floats, undefined and other values without one canonical form. */
export function encodeCanonical(value: CborValue): Uint8Array {
  written = 0;
  write(value, 0);
  return scratch.slice(0, written);
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  whole(): CborValue {
    const value = this.#value(0);
    if (this.#at !== this.#bytes.length) throw new RangeError('not dag-cbor: bytes after the value');
    return value;
  }

  #value(depth: number): CborValue {
    if (depth > depthMax) throw new RangeError(`CBOR nested deeper than ${depthMax}`);
    const first = this.#bytes[this.#at];
    if (first === undefined) throw new RangeError('not dag-cbor: it ends early');
    switch (first >>> 5) {
      case unsigned:
        return this.#number();
      case negative:
        return this.#negative();
      case byteString:
        return new Uint8Array(this.#take(this.#number()));
      case textString:
        return this.#text();
      case list:
        return this.#list(depth);
      case map:
        return this.#map(depth);
      default:
        return this.#simple(first);
    }
  }

  /** The number in the head of an item. Exact, or refused: the longest counts to 2^64. */
  #number(): number {
    const info = (this.#bytes[this.#at++] as number) & 31;
    if (info < 24) return info;
    if (info > 27) throw new RangeError('not canonical dag-cbor: a length that is not definite');
    const length = 2 ** (info - 24);
    if (this.#at + length > this.#bytes.length) throw new RangeError('not dag-cbor: it ends early');
    const value = this.#bigEndian(length);
    this.#at += length;
    const shortestFrom = length === 1 ? 24 : 2 ** (4 * length);
    if (value < shortestFrom) throw new RangeError('not canonical dag-cbor: a longer form than needed');
    if (!Number.isSafeInteger(value)) throw new RangeError('not canonical dag-cbor: beyond 2^53');
    return value;
  }

  #bigEndian(length: number): number {
    switch (length) {
      case 1:
        return this.#view.getUint8(this.#at);
      case 2:
        return this.#view.getUint16(this.#at);
      case 4:
        return this.#view.getUint32(this.#at);
      default:
        return this.#view.getUint32(this.#at) * 0x1_0000_0000 + this.#view.getUint32(this.#at + 4);
    }
  }

  #negative(): number {
    const value = -1 - this.#number();
    if (!Number.isSafeInteger(value)) throw new RangeError('not canonical dag-cbor: beyond 2^53');
    return value;
  }

  /** A view of what follows. */
  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('not dag-cbor: it ends early');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  #text(): string {
    const bytes = this.#take(this.#number());
    if (bytes.length > joinedTextBytesMax) return decodeUtf8(bytes);
    let text = '';
    for (const byte of bytes) {
      if (byte > 0x7f) return decodeUtf8(bytes);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #list(depth: number): readonly CborValue[] {
    const count = this.#count(1);
    const items: CborValue[] = [];
    for (let index = 0; index < count; index++) items.push(this.#value(depth + 1));
    return items;
  }

  #map(depth: number): CborValue {
    const count = this.#count(2);
    const fields: Record<string, CborValue> = {};
    let before: Uint8Array | undefined;
    for (let index = 0; index < count; index++) {
      const from = this.#at;
      if ((this.#bytes[from] as number) >>> 5 !== textString)
        throw new RangeError('not dag-cbor: a key that is no text');
      const name = this.#text();
      // With its head: of two texts in the shortest form the shorter has the lesser head.
      const key = this.#bytes.subarray(from, this.#at);
      if (before !== undefined && !precedes(before, key))
        throw new RangeError('not canonical dag-cbor: keys out of order');
      before = key;
      const value = this.#value(depth + 1);
      if (name === '__proto__')
        Object.defineProperty(fields, name, { value, enumerable: true, writable: true, configurable: true });
      else fields[name] = value;
    }
    return fields;
  }

  /** Items of a list or pairs of a map: no more than what follows can hold. */
  #count(bytesEach: number): number {
    const count = this.#number();
    if (count * bytesEach > this.#bytes.length - this.#at)
      throw new RangeError('not dag-cbor: it ends early');
    return count;
  }

  #simple(byte: number): null | boolean {
    this.#at++;
    if (byte === nullByte) return null;
    if (byte === trueByte || byte === falseByte) return byte === trueByte;
    throw new RangeError('not canonical dag-cbor: a tag, a float or another value that has no place in it');
  }
}

function precedes(a: Uint8Array, b: Uint8Array): boolean {
  const order = compareRange(a, 0, b, 0, Math.min(a.length, b.length));
  return order < 0 || (order === 0 && a.length < b.length);
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8Decoder.decode(bytes);
  } catch (cause) {
    throw new RangeError('not dag-cbor: text that is not UTF-8', { cause });
  }
}

/**
 * Strict: the one canonical encoding of an allowed value, or nothing.
 * @throws RangeError if the bytes are anything else.
 */
export function decodeCanonical(bytes: Uint8Array): CborValue {
  return new Reader(bytes).whole();
}
