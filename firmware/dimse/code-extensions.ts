/**
 * Text with code extensions (PS3.3 C.12.1.1.2, ISO/IEC 2022): escape sequences put character sets into G0 (bytes below
 * 80) and G1 (bytes from 80 on). What the platform decodes as a whole is not this: it knows neither several single-byte
 * sets in one text, nor JIS X 0201 katakana or JIS X 0212 beside JIS X 0208.
 */

import { textBytesWithoutRestMax } from './limits.ts';

/** A set as it stands in G0 or G1. */
interface CharacterSet {
  readonly bytes: 1 | 2;
  decode(run: Uint8Array): string;
}

/** Bytes of one set that are decoded sooner by the platform than by looking them up. */
const runByPlatformMin = 32;

function doubleByte(encoding: string): CharacterSet {
  // Made once: making a decoder costs more than decoding a name.
  const decoder = new TextDecoder(encoding);
  return { bytes: 2, decode: (run) => decoder.decode(run) };
}

/**
 * Of one byte each: what is written with a new set for each character would cost a call of the platform's decoder, many
 * times what its bytes do. Looked up from the first text on that needs it.
 */
function singleByte(encoding: string): CharacterSet {
  const decoder = new TextDecoder(encoding);
  let characters: readonly string[] | undefined;
  return {
    bytes: 1,
    decode: (run) => {
      if (run.length >= runByPlatformMin) return decoder.decode(run);
      characters ??= Array.from({ length: 256 }, (_, byte) => decoder.decode(Uint8Array.of(byte)));
      let text = '';
      for (const byte of run) text += characters[byte] as string;
      return text;
    },
  };
}

const upper = (run: Uint8Array): Uint8Array => run.map((byte) => byte | 0x80);

const ascii = singleByte('ascii');
const latin1 = singleByte('windows-1252');
/** JIS X 0201 katakana: half-width forms in the order of the standard. */
const katakana: CharacterSet = {
  bytes: 1,
  decode: (run) => {
    let text = '';
    for (const byte of run)
      text += byte >= 0xa1 && byte <= 0xdf ? String.fromCharCode(0xff61 + byte - 0xa1) : '\ufffd';
    return text;
  },
};
/** EUC-JP holds both: JIS X 0208 as pairs above 80, JIS X 0212 as such pairs after 8F. */
const eucJp = doubleByte('euc-jp');
const jisX0208: CharacterSet = { bytes: 2, decode: (run) => eucJp.decode(upper(run)) };
const jisX0212: CharacterSet = {
  bytes: 2,
  decode: (run) => {
    const shifted: number[] = [];
    for (let offset = 0; offset + 1 < run.length; offset += 2)
      shifted.push(0x8f, (run[offset] as number) | 0x80, (run[offset + 1] as number) | 0x80);
    return eucJp.decode(Uint8Array.from(shifted));
  },
};

interface Designation {
  readonly escape: string;
  readonly to: 'g0' | 'g1';
  readonly set: CharacterSet;
}

/** The defined terms of tables C.12-3 and C.12-4, without "ISO 2022 IR ": what their escape sequences put where. */
const designations: ReadonlyMap<string, readonly Designation[]> = new Map<string, readonly Designation[]>([
  ['6', [{ escape: '(B', to: 'g0', set: ascii }]],
  [
    '13',
    [
      { escape: '(J', to: 'g0', set: ascii },
      { escape: ')I', to: 'g1', set: katakana },
    ],
  ],
  ['58', [{ escape: '$)A', to: 'g1', set: doubleByte('gbk') }]],
  ['87', [{ escape: '$B', to: 'g0', set: jisX0208 }]],
  ['100', [{ escape: '-A', to: 'g1', set: latin1 }]],
  ['101', [{ escape: '-B', to: 'g1', set: singleByte('iso-8859-2') }]],
  ['109', [{ escape: '-C', to: 'g1', set: singleByte('iso-8859-3') }]],
  ['110', [{ escape: '-D', to: 'g1', set: singleByte('iso-8859-4') }]],
  ['126', [{ escape: '-F', to: 'g1', set: singleByte('iso-8859-7') }]],
  ['127', [{ escape: '-G', to: 'g1', set: singleByte('iso-8859-6') }]],
  ['138', [{ escape: '-H', to: 'g1', set: singleByte('iso-8859-8') }]],
  ['144', [{ escape: '-L', to: 'g1', set: singleByte('iso-8859-5') }]],
  ['148', [{ escape: '-M', to: 'g1', set: singleByte('windows-1254') }]],
  ['149', [{ escape: '$)C', to: 'g1', set: doubleByte('euc-kr') }]],
  ['159', [{ escape: '$(D', to: 'g0', set: jisX0212 }]],
  ['166', [{ escape: '-T', to: 'g1', set: singleByte('windows-874') }]],
  ['203', [{ escape: '-b', to: 'g1', set: singleByte('iso-8859-15') }]],
]);

/** Whatever is announced: devices use escape sequences that (0008,0005) does not list. By the bytes after ESC, two or three. */
const byEscape: ReadonlyMap<number, Designation> = new Map(
  [...designations.values()]
    .flat()
    .map((designation) => [
      Buffer.from(designation.escape, 'latin1').readUIntBE(0, designation.escape.length),
      designation,
    ]),
);

const escapeByte = 0x1b;
const delimiters = new Set(Array.from('\\^=\t\n\f\r', (character) => character.charCodeAt(0)));

export function hasCodeExtensions(specificCharacterSet: string): boolean {
  return specificCharacterSet.includes('ISO 2022 IR ');
}

/**
 * Never fails: what cannot be read becomes U+FFFD. The first term's set stands at the beginning and after delimiters.
 * Yields where a rest is due: whoever switches the set with each character makes this slow.
 */
export function* codeExtensionsDecoding(
  bytes: Uint8Array,
  specificCharacterSet: string,
): Generator<undefined, string> {
  const [first = ''] = specificCharacterSet.split('\\');
  const initial = designations.get(first.trim().replace(/^ISO(_IR| 2022 IR) /, '')) ?? [];
  const initialG1 = initial.find(({ to }) => to === 'g1')?.set ?? latin1;
  let g0 = ascii;
  let g1 = initialG1;
  let text = '';
  let restAt = textBytesWithoutRestMax;
  for (let offset = 0; offset < bytes.length;) {
    if (offset >= restAt) {
      restAt = offset + textBytesWithoutRestMax;
      yield;
    }
    const byte = bytes[offset] as number;
    if (byte === escapeByte) {
      const designation = designationAt(bytes, offset + 1);
      if (designation?.to === 'g0') g0 = designation.set;
      if (designation?.to === 'g1') g1 = designation.set;
      offset += 1 + (designation?.escape.length ?? 0);
      continue;
    }
    const upperHalf = byte >= 0x80;
    const set = upperHalf ? g1 : g0;
    // Controls and the space stand outside of every set of two bytes.
    if (!upperHalf && (byte <= 0x20 || set === ascii)) {
      text += String.fromCharCode(byte);
      offset++;
      if (delimiters.has(byte)) [g0, g1] = [ascii, initialG1];
      continue;
    }
    const end = endOfRun(bytes, offset, upperHalf, set.bytes);
    text += set.decode(bytes.subarray(offset, end));
    offset = end;
  }
  return text;
}

/** None is the beginning of another. */
function designationAt(bytes: Uint8Array, offset: number): Designation | undefined {
  const [first = 0, second = 0, third = 0] = [bytes[offset], bytes[offset + 1], bytes[offset + 2]];
  const two = (first << 8) | second;
  return byEscape.get(two) ?? byEscape.get((two << 8) | third);
}

/** Bytes of one half that follow each other, in whole characters as far as there are any, and not too many at a time. */
function endOfRun(bytes: Uint8Array, start: number, upperHalf: boolean, characterBytes: 1 | 2): number {
  let end = start;
  while (end < bytes.length && end - start < textBytesWithoutRestMax) {
    const byte = bytes[end] as number;
    if (byte >= 0x80 !== upperHalf || byte <= 0x20) break;
    end += characterBytes;
  }
  return Math.min(Math.max(end, start + 1), bytes.length);
}
