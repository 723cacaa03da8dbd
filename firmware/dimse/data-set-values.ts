/**
 * The values of one element that is no sequence, as text and back (PS3.5 6.2): text without padding, numbers in
 * decimal, AT as eight hexadecimal digits, bytes in base64 with their words in little-endian order.
 */
import type { DataElement } from '../src/ports.ts';
import { encodeText, textDecoding } from './character-set.ts';
import { trimming, trimmingEnd } from './long-padding.ts';
import { encodeAscii } from './text.ts';

/** Text in the data set's Specific Character Set (PS3.5 6.1.2.3). */
const characterSetVrs = new Set(['LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UT']);

/** Always one value: a backslash is a backslash, leading spaces count (PS3.5 6.2). */
const oneTextVrs = new Set(['LT', 'ST', 'UR', 'UT']);

/** Bytes of a word, by which the order of bytes is turned. */
const wordBytes: Readonly<Record<string, number>> = { OB: 1, OD: 8, OF: 4, OL: 4, OV: 8, OW: 2, UN: 1 };

interface NumberCodec {
  readonly size: number;
  readonly read: (view: DataView, offset: number, littleEndian: boolean) => string;
  readonly write: (view: DataView, offset: number, text: string, littleEndian: boolean) => void;
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

/** Told of each value before it is made: true where a rest is due. What it throws ends the decoding. */
export type ValueCounter = () => boolean;

/**
 * Yields where a rest is due.
 * @returns undefined if the length does not fit the VR.
 */
export function* valuesDecoding(
  bytes: Uint8Array,
  vr: string,
  littleEndian: boolean,
  specificCharacterSet: string,
  counted: ValueCounter = () => false,
): Generator<undefined, readonly string[] | undefined> {
  if (bytes.length === 0) return [];
  const number = numbers[vr];
  const size = number?.size ?? wordBytes[vr];
  if (size !== undefined && bytes.length % size !== 0) return undefined;
  if (number !== undefined) return yield* numbersDecoding(bytes, number, littleEndian, counted);
  if (size !== undefined) {
    if (counted()) yield;
    return [Buffer.from(inLittleEndian(bytes, size, littleEndian)).toString('base64')];
  }
  const text = characterSetVrs.has(vr)
    ? yield* textDecoding(bytes, specificCharacterSet)
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const values = yield* textValues(text, vr, counted);
  return values.length === 1 && values[0] === '' ? [] : values;
}

function* numbersDecoding(
  bytes: Uint8Array,
  { size, read }: NumberCodec,
  littleEndian: boolean,
  counted: ValueCounter,
): Generator<undefined, string[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values: string[] = [];
  for (let offset = 0; offset < bytes.length; offset += size) {
    if (counted()) yield;
    values.push(read(view, offset, littleEndian));
  }
  return values;
}

function* textValues(text: string, vr: string, counted: ValueCounter): Generator<undefined, string[]> {
  if (oneTextVrs.has(vr)) {
    if (counted()) yield;
    return [yield* characterSetVrs.has(vr) ? trimmingEnd(text) : trimming(text)];
  }
  const values: string[] = [];
  for (let start = 0, end = 0; end !== -1; start = end + 1) {
    end = text.indexOf('\\', start);
    if (counted()) yield;
    values.push(yield* trimming(text.slice(start, end === -1 ? undefined : end)));
  }
  return values;
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
  const turned = Buffer.from(bytes);
  if (wordSize === 2) return turned.swap16();
  return wordSize === 4 ? turned.swap32() : turned.swap64();
}
