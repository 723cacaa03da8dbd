/** A small data set into its bytes (PS3.5 clause 7): tags ascending, defined lengths, even padding, no group lengths. */
import { deflateRawSync } from 'node:zlib';
import type { DataElement, DataSet } from '../src/ports.ts';
import { concatBytes } from '../src/encoding/bytes.ts';
import { dataSetSyntax, type ElementEncoding } from './data-set-syntax.ts';
import { characterSetOf, encodeValues } from './data-set-values.ts';
import { encodeElement, encodeItem } from './element-encoder.ts';
import { joinBytes } from './join-bytes.ts';

const specificCharacterSetTag = '00080005';
const utf8CharacterSet = 'ISO_IR 192';

/**
 * Text is written in the Specific Character Set that the data set names; where that does not hold it all, in UTF-8
 * (ISO_IR 192) throughout, and (0008,0005) says so.
 * @throws RangeError for a value that its VR does not have, or a tag that is none: the caller's mistake.
 */
export function encodeDataSet(dataSet: DataSet, transferSyntaxUid: string): Uint8Array {
  const { deflated, encoding } = dataSetSyntax(transferSyntaxUid);
  const named = characterSetOf(dataSet[specificCharacterSetTag]);
  const bytes =
    encodeElements(dataSet, encoding, named) ??
    encodeElements(
      { ...dataSet, [specificCharacterSetTag]: { vr: 'CS', values: [utf8CharacterSet] } },
      encoding,
      utf8CharacterSet,
    );
  if (bytes === undefined) throw new RangeError('UTF-8 does not hold the text of a data set');
  if (!deflated) return bytes;
  const compressed = deflateRawSync(bytes);
  return compressed.length % 2 === 0 ? compressed : concatBytes(compressed, Uint8Array.of(0));
}

/** Undefined if the character set does not hold all text. */
function encodeElements(
  dataSet: DataSet,
  encoding: ElementEncoding,
  characterSet: string,
): Uint8Array | undefined {
  const pieces: Uint8Array[] = [];
  // Tags that are decimal numbers too would otherwise come first.
  for (const tag of Object.keys(dataSet).sort()) {
    if (!/^[0-9A-F]{8}$/.test(tag)) throw new RangeError(`"${tag}" is no tag in eight hexadecimal digits`);
    if (tag.endsWith('0000')) continue;
    const element = dataSet[tag] as DataElement;
    const value =
      element.vr === 'SQ'
        ? encodeItems(element, encoding, characterSet)
        : encodeValues(textOf(tag, element), element.vr, encoding.littleEndian, characterSet);
    if (value === undefined) return undefined;
    pieces.push(encodeElement(encoding, Number.parseInt(tag, 16), element.vr, value));
  }
  return joinBytes(pieces);
}

function encodeItems(
  { values }: DataElement,
  encoding: ElementEncoding,
  characterSet: string,
): Uint8Array | undefined {
  const items: Uint8Array[] = [];
  for (const item of values) {
    if (typeof item === 'string') throw new RangeError('an item of a sequence is text');
    const elements = encodeElements(inCharacterSet(item, characterSet), encoding, characterSet);
    if (elements === undefined) return undefined;
    items.push(encodeItem(encoding, elements));
  }
  return joinBytes(items);
}

/** An item that names a character set of its own is written in that of the whole, and says so. */
function inCharacterSet(item: DataSet, characterSet: string): DataSet {
  if (item[specificCharacterSetTag] === undefined) return item;
  return { ...item, [specificCharacterSetTag]: { vr: 'CS', values: characterSet.split('\\') } };
}

function textOf(tag: string, { values }: DataElement): readonly string[] {
  return values.map((value) => {
    if (typeof value === 'string') return value;
    throw new RangeError(`${tag} is no sequence but has an item`);
  });
}
