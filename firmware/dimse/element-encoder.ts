/** Encoding of text elements and sequences in any of the layouts of PS3.5 clause 7. */
import { concatBytes } from '../src/encoding/bytes.ts';
import { type ElementEncoding, isLongVr } from './data-set-syntax.ts';
import { encodeAscii } from './text.ts';

const itemTag = 0xfffee000;

/** Values of these are padded with a NUL, others with a space (PS3.5 6.2). */
const paddedWithNul = new Set(['OB', 'UI', 'UN']);

/** What a length of 16 bits can hold, even; a longer value is written as UN (PS3.5 6.2.2). */
const shortValueBytesMax = 0xfffe;

/** An element with this value, which is padded to an even length. */
export function encodeElement(
  encoding: ElementEncoding,
  tag: number,
  vr: string,
  value: Uint8Array,
): Uint8Array {
  const padding = Uint8Array.of(paddedWithNul.has(vr) ? 0 : 0x20);
  const padded = value.length % 2 === 0 ? value : concatBytes(value, padding);
  const writtenVr = padded.length > shortValueBytesMax && !isLongVr(vr) ? 'UN' : vr;
  return concatBytes(encodeHeader(encoding, tag, writtenVr, padded.length), padded);
}

/** A sequence of defined length; each item is the concatenation of its elements. */
export function encodeSequence(
  encoding: ElementEncoding,
  tag: number,
  ...items: readonly Uint8Array[]
): Uint8Array {
  return encodeElement(encoding, tag, 'SQ', concatBytes(...items.map((item) => encodeItem(encoding, item))));
}

/** An item of defined length. */
export function encodeItem(encoding: ElementEncoding, elements: Uint8Array): Uint8Array {
  return concatBytes(
    encodeHeader({ ...encoding, explicitVr: false }, itemTag, '', elements.length),
    elements,
  );
}

function encodeHeader(
  { explicitVr, littleEndian }: ElementEncoding,
  tag: number,
  vr: string,
  length: number,
): Uint8Array {
  const long = explicitVr && isLongVr(vr);
  const header = new Uint8Array(long ? 12 : 8);
  const view = new DataView(header.buffer);
  view.setUint16(0, tag >>> 16, littleEndian);
  view.setUint16(2, tag & 0xffff, littleEndian);
  if (explicitVr) header.set(encodeAscii(vr), 4);
  if (explicitVr && !long) view.setUint16(6, length, littleEndian);
  else view.setUint32(long ? 8 : 4, length, littleEndian);
  return header;
}
