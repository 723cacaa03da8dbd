/** Text in the character sets of Specific Character Set (0008,0005), PS3.3 C.12.1.1.2, as well as the platform knows them. */
import { utf8 } from '../src/encoding/bytes.ts';
import { codeExtensionsDecoding, hasCodeExtensions } from './code-extensions.ts';
import { withoutRests } from './rests.ts';

/** Defined term (without "ISO_IR " or "ISO 2022 IR ") to the platform's name. */
export const encodings: ReadonlyMap<string, string> = new Map([
  ['6', 'windows-1252'],
  ['13', 'shift_jis'],
  ['58', 'gb18030'],
  ['87', 'iso-2022-jp'],
  ['100', 'windows-1252'],
  ['101', 'iso-8859-2'],
  ['109', 'iso-8859-3'],
  ['110', 'iso-8859-4'],
  ['126', 'iso-8859-7'],
  ['127', 'iso-8859-6'],
  ['138', 'iso-8859-8'],
  ['144', 'iso-8859-5'],
  ['148', 'windows-1254'],
  ['149', 'euc-kr'],
  ['159', 'iso-2022-jp'],
  ['166', 'windows-874'],
  ['192', 'utf-8'],
  ['203', 'iso-8859-15'],
  ['GB18030', 'gb18030'],
  ['GBK', 'gbk'],
]);

/** Sets that are switched to by escape sequences; the first of them that is listed decides how all text is read. */
const multiByte = new Set(['87', '159', '149', '58']);

/** Without what tells whether there are code extensions. */
function termsOf(specificCharacterSet: string): readonly string[] {
  return specificCharacterSet.split('\\').map((term) => term.trim().replace(/^ISO(_IR| 2022 IR) /, ''));
}

/** The platform's name of the encoding; undefined for a set that nobody defined. */
function encodingOf(terms: readonly string[]): string | undefined {
  const term = terms.find((each) => multiByte.has(each)) ?? terms.find((each) => each !== '') ?? '6';
  return encodings.get(term);
}

/**
 * Text of ISO 646 without its controls (but for line ends), which every character set reads alike; else undefined. Most
 * values are, and finding a decoder for each of them costs more than all the rest of reading a header.
 */
function plainText(bytes: Uint8Array): string | undefined {
  for (const byte of bytes)
    if ((byte < 0x20 && byte !== 0 && byte !== 0x0a && byte !== 0x0d) || byte > 0x7e) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

type Decoder = InstanceType<typeof TextDecoder>;

/** Making one costs ten times what it takes to decode a name. */
const decoders = new Map<string, Decoder>();

function decoderOf(encoding: string): Decoder {
  const decoder = decoders.get(encoding) ?? new TextDecoder(encoding);
  decoders.set(encoding, decoder);
  return decoder;
}

/** Never fails: what cannot be read becomes U+FFFD. Padding is not removed. At one go: for text that is short. */
export function decodeText(bytes: Uint8Array, specificCharacterSet: string): string {
  return plainText(bytes) ?? withoutRests(textDecoding(bytes, specificCharacterSet));
}

/** The same of text that may be long: yields where a rest is due. */
export function* textDecoding(bytes: Uint8Array, specificCharacterSet: string): Generator<undefined, string> {
  const plain = plainText(bytes);
  if (plain !== undefined) return plain;
  if (hasCodeExtensions(specificCharacterSet))
    return yield* codeExtensionsDecoding(bytes, specificCharacterSet);
  // ISO 646 is read as its superset Latin-1, since many devices forget to say so, and so is a set that nobody defined.
  return decoderOf(encodingOf(termsOf(specificCharacterSet)) ?? 'windows-1252').decode(bytes);
}

/** Bytes in that character set, or undefined if it does not hold the text (multi-byte sets other than UTF-8: ASCII only). */
export function encodeText(text: string, specificCharacterSet: string): Uint8Array | undefined {
  // eslint-disable-next-line no-control-regex -- ISO 646 with its controls
  if (/^[\x00-\x7f]*$/.test(text)) return utf8(text);
  const terms = termsOf(specificCharacterSet);
  const encoding = encodingOf(terms);
  if (encoding === 'utf-8') return utf8(text);
  // Without the attribute only ISO 646 is legal, whatever we tolerate when reading.
  if (
    encoding === undefined ||
    terms[0] === '' ||
    terms[0] === '6' ||
    ['iso-2022-jp', 'euc-kr', 'gb18030', 'gbk', 'shift_jis'].includes(encoding)
  ) {
    return undefined;
  }
  const codes = singleByteCodes(encoding);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = codes.get(text[i] as string);
    if (code === undefined) return undefined;
    bytes[i] = code;
  }
  return bytes;
}

/** Made once: making one costs 0.2 ms, and whoever sends a data set decides how many values it has. */
const codesOfSingleByteSets = new Map<string, ReadonlyMap<string, number>>();

function singleByteCodes(encoding: string): ReadonlyMap<string, number> {
  const codes = codesOfSingleByteSets.get(encoding) ?? makeSingleByteCodes(encoding);
  codesOfSingleByteSets.set(encoding, codes);
  return codes;
}

function makeSingleByteCodes(encoding: string): ReadonlyMap<string, number> {
  const decoder = decoderOf(encoding);
  const codes = new Map<string, number>();
  for (let code = 0x20; code < 0x100; code++) {
    // 80 to 9F are control codes in the ISO sets, whatever the platform's Windows variants make of them.
    if (code < 0x80 || code >= 0xa0) codes.set(decoder.decode(Uint8Array.of(code)), code);
  }
  codes.delete('\ufffd');
  return codes;
}
