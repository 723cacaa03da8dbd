/** A small data set into its bytes (PS3.5 clause 7): tags ascending, defined lengths, even padding, no group lengths. */
import { promisify } from 'node:util';
import { deflateRaw, deflateRawSync } from 'node:zlib';
import type { DataElement, DataSet } from '../src/ports.ts';
import { concatBytes } from '../src/encoding/bytes.ts';
import { dataSetSyntax, type ElementEncoding } from './data-set-syntax.ts';
import { characterSetOf, encodeValues, isInCharacterSet } from './data-set-values.ts';
import { encodeElement, encodeItem } from './element-encoder.ts';
import { joinBytes } from './join-bytes.ts';
import { Rests, withoutRests, withRests, WorkQueue } from './rests.ts';

const specificCharacterSetTag = '00080005';
const utf8CharacterSet = 'ISO_IR 192';
const deflate = promisify(deflateRaw);
const longWorks = new WorkQueue();

/**
 * Text is written in the Specific Character Set that the data set names; where that does not hold it all, in UTF-8
 * (ISO_IR 192) throughout, and (0008,0005) says so. At one go: for a data set that is short.
 * @throws RangeError for a value that its VR does not have, or a tag that is none: the caller's mistake.
 */
export function encodeDataSet(dataSet: DataSet, transferSyntaxUid: string): Uint8Array {
  const { deflated, encoding } = dataSetSyntax(transferSyntaxUid);
  const bytes = withoutRests(encode(dataSet, encoding));
  return deflated ? evenLength(deflateRawSync(bytes)) : bytes;
}

/** The same of a data set that may be long: everybody else has a turn after each millisecond or so of it. */
export async function encodeLongDataSet(dataSet: DataSet, transferSyntaxUid: string): Promise<Uint8Array> {
  const { deflated, encoding } = dataSetSyntax(transferSyntaxUid);
  const bytes = await withRests(encode(dataSet, encoding), longWorks);
  return deflated ? evenLength(await deflate(bytes)) : bytes;
}

function evenLength(bytes: Uint8Array): Uint8Array {
  return bytes.length % 2 === 0 ? bytes : concatBytes(bytes, Uint8Array.of(0));
}

/** Yields where a rest is due. */
function* encode(dataSet: DataSet, encoding: ElementEncoding): Generator<undefined, Uint8Array> {
  const named = characterSetOf(dataSet[specificCharacterSetTag]);
  const bytes =
    (yield* new Encoder(encoding, named).elements(dataSet)) ??
    (yield* new Encoder(encoding, utf8CharacterSet).elements({
      ...dataSet,
      [specificCharacterSetTag]: { vr: 'CS', values: [utf8CharacterSet] },
    }));
  if (bytes === undefined) throw new RangeError('UTF-8 does not hold the text of a data set');
  return bytes;
}

class Encoder {
  readonly #encoding: ElementEncoding;
  readonly #characterSet: string;
  readonly #rests = new Rests();
  /** Elements, items and values that were encoded. */
  #elements = 0;
  /** Of the values that are text in the character set. */
  #textBytes = 0;

  constructor(encoding: ElementEncoding, characterSet: string) {
    this.#encoding = encoding;
    this.#characterSet = characterSet;
  }

  /** Undefined if the character set does not hold all text. */
  *elements(dataSet: DataSet): Generator<undefined, Uint8Array | undefined> {
    const pieces: Uint8Array[] = [];
    // Tags that are decimal numbers too would otherwise come first.
    for (const tag of Object.keys(dataSet).sort()) {
      if (!/^[0-9A-F]{8}$/.test(tag)) throw new RangeError(`"${tag}" is no tag in eight hexadecimal digits`);
      if (tag.endsWith('0000')) continue;
      const element = dataSet[tag] as DataElement;
      const value = element.vr === 'SQ' ? yield* this.#items(element) : this.#value(tag, element);
      if (value === undefined) return undefined;
      pieces.push(encodeElement(this.#encoding, Number.parseInt(tag, 16), element.vr, value));
      if (this.#isRestDue(1 + element.values.length)) yield;
    }
    return joinBytes(pieces);
  }

  *#items({ values }: DataElement): Generator<undefined, Uint8Array | undefined> {
    const items: Uint8Array[] = [];
    for (const item of values) {
      if (typeof item === 'string') throw new RangeError('an item of a sequence is text');
      const elements = yield* this.elements(inCharacterSet(item, this.#characterSet));
      if (elements === undefined) return undefined;
      items.push(encodeItem(this.#encoding, elements));
      if (this.#isRestDue(1)) yield;
    }
    return joinBytes(items);
  }

  #value(tag: string, element: DataElement): Uint8Array | undefined {
    const { vr } = element;
    const value = encodeValues(textOf(tag, element), vr, this.#encoding.littleEndian, this.#characterSet);
    if (isInCharacterSet(vr)) this.#textBytes += value?.length ?? 0;
    return value;
  }

  #isRestDue(more: number): boolean {
    this.#elements += more;
    return this.#rests.isDue(this.#elements, this.#textBytes);
  }
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
