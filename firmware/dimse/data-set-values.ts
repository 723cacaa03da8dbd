/**
 * The values of one element that is no sequence, as text and back (PS3.5 6.2): text without padding, numbers in
 * decimal, AT as eight hexadecimal digits, bytes in base64 with their words in little-endian order.
 */
import { withoutPadding, withoutTrailingPadding } from '../src/encoding/padding.ts';
import type { DataElement } from '../src/ports.ts';
import { encodeText, textDecoding } from './character-set.ts';
import { decodeAscii, encodeAscii } from './text.ts';

/** Text in the data set's Specific Character Set (PS3.5 6.1.2.3). */
const characterSetVrs = new Set(['LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UT']);

/** Always one value: a backslash is a backslash, leading spaces count (PS3.5 6.2). */
const oneTextVrs = new Set(['LT', 'ST', 'UR', 'UT']);

/** Bytes of a word, by which the order of bytes is turned. */
const wordBytes: Readonly<Record<string, number>> = { OB: 1, OD: 8, OF: 4, OL: 4, OV: 8, OW: 2, UN: 1 };

interface NumberCodec {
  readonly size: number;
  read(view: DataView, offset: number, littleEndian: boolean): string;
  write(view: DataView, offset: number, text: string, littleEndian: boolean): void;
}

const numbers: Readonly<Record<string, NumberCodec>> = {
  AT: {
    size: 4,
    read: (view, offset, le) =>
      (view.getUint16(offset, le) * 0x10000 + view.getUint16(offset + 2, le))
        .toString(16)
        .toUpperCase()
        .padStart(8, '0'),
    write: (view, offset, text, le) => {
      const tag = integer(`0x${text}`, 0, 0xffffffff);
      view.setUint16(offset, tag >>> 16, le);
      view.setUint16(offset + 2, tag & 0xffff, le);
    },
  },
  FD: {
    size: 8,
    read: (view, offset, le) => floatText(view.getFloat64(offset, le)),
    write: (view, offset, text, le) => {
      view.setFloat64(offset, Number(text), le);
    },
  },
  FL: {
    size: 4,
    read: (view, offset, le) => floatText(view.getFloat32(offset, le)),
    write: (view, offset, text, le) => {
      view.setFloat32(offset, Number(text), le);
    },
  },
  SL: {
    size: 4,
    read: (view, offset, le) => String(view.getInt32(offset, le)),
    write: (view, offset, text, le) => {
      view.setInt32(offset, integer(text, -0x80000000, 0x7fffffff), le);
    },
  },
  SS: {
    size: 2,
    read: (view, offset, le) => String(view.getInt16(offset, le)),
    write: (view, offset, text, le) => {
      view.setInt16(offset, integer(text, -0x8000, 0x7fff), le);
    },
  },
  SV: {
    size: 8,
    read: (view, offset, le) => String(view.getBigInt64(offset, le)),
    write: (view, offset, text, le) => {
      view.setBigInt64(offset, BigInt(text), le);
    },
  },
  UL: {
    size: 4,
    read: (view, offset, le) => String(view.getUint32(offset, le)),
    write: (view, offset, text, le) => {
      view.setUint32(offset, integer(text, 0, 0xffffffff), le);
    },
  },
  US: {
    size: 2,
    read: (view, offset, le) => String(view.getUint16(offset, le)),
    write: (view, offset, text, le) => {
      view.setUint16(offset, integer(text, 0, 0xffff), le);
    },
  },
  UV: {
    size: 8,
    read: (view, offset, le) => String(view.getBigUint64(offset, le)),
    write: (view, offset, text, le) => {
      view.setBigUint64(offset, BigInt(text), le);
    },
  },
};

/** Negative zero keeps its sign. */
function floatText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function integer(text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`"${text}" is no integer from ${min} to ${max}`);
  return value;
}

/** The text of Specific Character Set (0008,0005); empty where there is none. */
export function characterSetOf(element: DataElement | undefined): string {
  return element?.values.filter((value) => typeof value === 'string').join('\\') ?? '';
}

/** Whether the values are text in the data set's Specific Character Set. */
export function isInCharacterSet(vr: string): boolean {
  return characterSetVrs.has(vr);
}

const backslash = 0x5c;

/**
 * How many values `valuesDecoding` would make, or more: second bytes of characters may look like backslashes. Counted no
 * further than one beyond `max`.
 */
export function countValues(bytes: Uint8Array, vr: string, max: number): number {
  const number = numbers[vr];
  if (number !== undefined) return Math.ceil(bytes.length / number.size);
  if (wordBytes[vr] !== undefined || oneTextVrs.has(vr)) return 1;
  let count = 1;
  let at = bytes.indexOf(backslash);
  for (; at !== -1 && count <= max; at = bytes.indexOf(backslash, at + 1)) count++;
  return count;
}

/**
 * Yields where a rest is due.
 * @returns undefined if the length does not fit the VR.
 */
export function* valuesDecoding(
  bytes: Uint8Array,
  vr: string,
  littleEndian: boolean,
  specificCharacterSet: string,
): Generator<undefined, readonly string[] | undefined> {
  if (bytes.length === 0) return [];
  const number = numbers[vr];
  if (number !== undefined) {
    if (bytes.length % number.size !== 0) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return Array.from({ length: bytes.length / number.size }, (_, index) =>
      number.read(view, index * number.size, littleEndian),
    );
  }
  const wordSize = wordBytes[vr];
  if (wordSize !== undefined) {
    if (bytes.length % wordSize !== 0) return undefined;
    return [Buffer.from(inLittleEndian(bytes, wordSize, littleEndian)).toString('base64')];
  }
  const text = characterSetVrs.has(vr)
    ? yield* textDecoding(bytes, specificCharacterSet)
    : decodeAscii(bytes);
  const values = oneTextVrs.has(vr) ? [withoutTrailingPadding(text)] : text.split('\\').map(withoutPadding);
  return values.length === 1 && values[0] === '' ? [] : values;
}

/**
 * Not padded.
 * @returns undefined if the character set does not hold the text.
 * @throws RangeError for a value that the VR does not have (a number out of its range).
 */
export function encodeValues(
  values: readonly string[],
  vr: string,
  littleEndian: boolean,
  specificCharacterSet: string,
): Uint8Array | undefined {
  const number = numbers[vr];
  if (number !== undefined) {
    const view = new DataView(new ArrayBuffer(values.length * number.size));
    for (const [index, value] of values.entries())
      number.write(view, index * number.size, value, littleEndian);
    return new Uint8Array(view.buffer);
  }
  const wordSize = wordBytes[vr];
  if (wordSize !== undefined)
    return inLittleEndian(Buffer.from(values[0] ?? '', 'base64'), wordSize, littleEndian);
  const text = values.join('\\');
  return characterSetVrs.has(vr) ? encodeText(text, specificCharacterSet) : encodeAscii(text);
}

/** The words turned round, or as they are. */
function inLittleEndian(bytes: Uint8Array, wordSize: number, littleEndian: boolean): Uint8Array {
  if (littleEndian || wordSize === 1) return bytes;
  const turned = Uint8Array.from(bytes);
  for (let offset = 0; offset < turned.length; offset += wordSize)
    turned.subarray(offset, offset + wordSize).reverse();
  return turned;
}
