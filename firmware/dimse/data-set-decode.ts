/**
 * A small data set out of its bytes (PS3.5 clause 7). Recursive, hence bounded in depth; and in bytes and elements,
 * since each element costs some hundred bytes of memory, whatever its length; and in values and text, which cost time.
 */
import { constants, inflateRawSync } from 'node:zlib';
import type { DataElement, DataSet } from '../src/ports.ts';
import { vrOf } from './data-dictionary.ts';
import {
  dataSetSyntax,
  type ElementEncoding,
  implicitLittleEndian,
  isLongVr,
  showsExplicitVr,
} from './data-set-syntax.ts';
import { characterSetOf, isInCharacterSet, valuesDecoding } from './data-set-values.ts';
import {
  dataSetDepthMax,
  dataSetElementMemoryBytes,
  dataSetElementsMax,
  dataSetTextBytesMax,
  dataSetValueMemoryBytes,
  dataSetValuesMax,
  elementCost,
  elementTextBytesMax,
  elementValuesMax,
  identifierBytesMax,
  inflatedBytesPerCost,
  inflatedIdentifierBytesMin,
  inflatedIdentifierRatioMax,
  textBytesPerCost,
} from './limits.ts';
import { Rests, withoutRests, withRests, WorkQueue } from './rests.ts';
import type { WorkAccount } from './turns.ts';

export type DecodedDataSet =
  /** `memoryBytes`: about what the data set takes as long as it is held, whatever its bytes are. */
  | { readonly kind: 'data-set'; readonly dataSet: DataSet; readonly memoryBytes: number }
  /** `reason` names tags and limits, never values. */
  | { readonly kind: 'malformed'; readonly reason: string };

/**
 * Text comes out as Unicode, of the character set that the data set or the item itself names. Unknown elements of
 * implicit VR are UN, known ones of VR UN get their VR (PS3.5 6.2.2); group lengths are left out.
 */
export function decodeDataSet(bytes: Uint8Array, transferSyntaxUid: string): DecodedDataSet {
  return withoutRests(decode(bytes, transferSyntaxUid, { left: 0, charge: () => undefined }));
}

/** The box's own. */
const ownLongWorks = new WorkQueue();

/**
 * The same of a data set that may be long: everybody else has a turn after each millisecond or so of it.
 * @param account whom it is charged to; it rests as that must. None for what the box has made itself.
 */
export function decodeLongDataSet(
  bytes: Uint8Array,
  transferSyntaxUid: string,
  account?: WorkAccount,
): Promise<DecodedDataSet> {
  const decoding: Decoding = {
    left: 0,
    charge: (cost) => {
      account?.charge(cost);
    },
  };
  const state = { left: () => decoding.left, rest: () => account?.restOfLongWork() };
  return withRests(
    decode(bytes, transferSyntaxUid, decoding),
    account?.turns.longWorks ?? ownLongWorks,
    state,
  );
}

/** What is told of a data set while it is decoded. */
interface Decoding {
  /** Bytes that are still to be decoded, at most. */
  left: number;
  charge(cost: number): void;
}

/** Yields where a rest is due, and tells what was done since the last one, also if it fails. */
function* decode(
  bytes: Uint8Array,
  transferSyntaxUid: string,
  decoding: Decoding,
): Generator<undefined, DecodedDataSet> {
  let decoder: Decoder | undefined;
  try {
    const { deflated, encoding } = dataSetSyntax(transferSyntaxUid);
    let plain = bytes;
    if (deflated) {
      // A few bytes may become thousands: it has its rests before and after.
      let inflatedBytes = inflatedLengthMax(bytes);
      decoding.left = inflatedBytes;
      yield;
      try {
        plain = inflate(bytes, inflatedBytes);
        inflatedBytes = plain.length;
      } finally {
        decoding.charge(inflatedBytes / inflatedBytesPerCost);
      }
      yield;
    }
    if (plain.length > identifierBytesMax) throw new Malformed(`more than ${identifierBytesMax} bytes`);
    const explicitVr = plain.length >= 6 ? showsExplicitVr(plain.subarray(4, 6)) : encoding.explicitVr;
    decoding.left = plain.length;
    decoder = new Decoder(plain, decoding);
    const dataSet = yield* decoder.dataSet({ ...encoding, explicitVr });
    return { kind: 'data-set', dataSet, memoryBytes: decoder.memoryBytes };
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', reason: error.message };
    throw error;
  } finally {
    decoder?.chargeWork();
  }
}

/** Never leaves this file. */
class Malformed extends Error {
  override readonly name = 'Malformed';
}

const undefinedLength = 0xffffffff;
const itemTag = 'FFFEE000';
const itemDelimitationTag = 'FFFEE00D';
const sequenceDelimitationTag = 'FFFEE0DD';
const specificCharacterSetTag = '00080005';

interface Header {
  readonly tag: string;
  readonly vr: string | undefined;
  readonly length: number;
}

class Decoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #decoding: Decoding;
  #charged = 0;
  #offset = 0;
  #elements = 0;
  #values = 0;
  #textBytes = 0;
  readonly #rests = new Rests();

  constructor(bytes: Uint8Array, decoding: Decoding) {
    this.#bytes = bytes;
    this.#decoding = decoding;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Of what was decoded so far; its text takes as much as its bytes. */
  get memoryBytes(): number {
    const { length } = this.#bytes;
    return length + this.#elements * dataSetElementMemoryBytes + this.#values * dataSetValueMemoryBytes;
  }

  /** Tells what was done and not told yet, and what is left. */
  chargeWork(): void {
    const cost = (this.#elements + this.#values) * elementCost + this.#textBytes / textBytesPerCost;
    this.#decoding.charge(cost - this.#charged);
    this.#charged = cost;
    this.#decoding.left = this.#bytes.length - this.#offset;
  }

  dataSet(encoding: ElementEncoding): Generator<undefined, DataSet> {
    return this.#elementsUntil(this.#bytes.length, encoding, '', 0);
  }

  /** Elements up to `end`, or up to the item delimiter where the length is not defined. */
  *#elementsUntil(
    end: number | undefined,
    encoding: ElementEncoding,
    inheritedCharacterSet: string,
    depth: number,
  ): Generator<undefined, DataSet> {
    const dataSet: Record<string, DataElement> = {};
    let characterSet = inheritedCharacterSet;
    while (end === undefined || this.#offset < end) {
      const header = this.#header(encoding);
      const { tag } = header;
      if (tag === itemDelimitationTag && end === undefined) return dataSet;
      if (tag.startsWith('FFFE')) throw new Malformed(`${written(tag)} where an element must stand`);
      const inside = header.vr === 'UN' ? implicitLittleEndian : encoding;
      const vr = vrIn(header);
      const element =
        vr === 'SQ'
          ? { vr, values: yield* this.#items(tag, header.length, inside, characterSet, depth) }
          : yield* this.#element(header, vr, inside, characterSet);
      if (this.#isRestDue()) yield;
      if (end !== undefined && this.#offset > end)
        throw new Malformed(`${written(tag)} reaches beyond its item`);
      if (tag.endsWith('0000')) continue;
      if (Object.hasOwn(dataSet, tag)) throw new Malformed(`${written(tag)} stands twice`);
      dataSet[tag] = element;
      if (tag === specificCharacterSetTag) characterSet = characterSetOf(element);
    }
    return dataSet;
  }

  *#element(
    { tag, length }: Header,
    vr: string,
    { littleEndian }: ElementEncoding,
    characterSet: string,
  ): Generator<undefined, DataElement> {
    if (length === undefinedLength) throw new Malformed(`${written(tag)} of VR ${vr} has undefined length`);
    const bytes = this.#take(tag, length);
    if (isInCharacterSet(vr)) this.#takeText(tag, bytes.length);
    const before = this.#values;
    const values = yield* valuesDecoding(bytes, vr, littleEndian, characterSet, () => {
      if (this.#values - before === elementValuesMax)
        throw new Malformed(`${written(tag)} has more than ${elementValuesMax} values`);
      if (this.#values === dataSetValuesMax) throw new Malformed(`more than ${dataSetValuesMax} values`);
      this.#values += 1;
      return this.#isRestDue();
    });
    if (values === undefined) throw new Malformed(`the length of ${written(tag)} does not fit VR ${vr}`);
    return { vr, values };
  }

  #isRestDue(): boolean {
    if (!this.#rests.isDue(this.#elements + this.#values, this.#textBytes)) return false;
    this.chargeWork();
    return true;
  }

  /** Before it is decoded: what would block everybody else is refused by its length alone, and costs nothing then. */
  #takeText(tag: string, length: number): void {
    if (length > elementTextBytesMax)
      throw new Malformed(`${written(tag)} has more than ${elementTextBytesMax} bytes`);
    if (this.#textBytes + length > dataSetTextBytesMax)
      throw new Malformed(`more than ${dataSetTextBytesMax} bytes of text`);
    this.#textBytes += length;
  }

  *#items(
    tag: string,
    length: number,
    encoding: ElementEncoding,
    characterSet: string,
    depth: number,
  ): Generator<undefined, DataSet[]> {
    if (depth >= dataSetDepthMax) throw new Malformed(`nested more than ${dataSetDepthMax} levels deep`);
    const end = this.#endAfter(tag, length);
    const items: DataSet[] = [];
    while (end === undefined || this.#offset < end) {
      const header = this.#header(encoding);
      if (header.tag === sequenceDelimitationTag && end === undefined) return items;
      if (header.tag !== itemTag) throw new Malformed(`${written(header.tag)} where an item must stand`);
      const itemEnd = this.#endAfter(tag, header.length);
      items.push(yield* this.#elementsUntil(itemEnd, encoding, characterSet, depth + 1));
      if (this.#isRestDue()) yield;
    }
    if (this.#offset > end) throw new Malformed(`an item reaches beyond ${written(tag)}`);
    return items;
  }

  #header({ explicitVr, littleEndian }: ElementEncoding): Header {
    if (++this.#elements > dataSetElementsMax)
      throw new Malformed(`more than ${dataSetElementsMax} elements`);
    const start = this.#offset;
    this.#need(8);
    const view = this.#view;
    const group = view.getUint16(start, littleEndian);
    const tag = (group * 0x10000 + view.getUint16(start + 2, littleEndian))
      .toString(16)
      .toUpperCase()
      .padStart(8, '0');
    this.#offset += 8;
    if (!explicitVr || group === 0xfffe)
      return { tag, vr: undefined, length: view.getUint32(start + 4, littleEndian) };
    const vr = String.fromCharCode(view.getUint8(start + 4), view.getUint8(start + 5));
    if (!/^[A-Z]{2}$/.test(vr)) throw new Malformed(`${written(tag)} has no VR`);
    if (!isLongVr(vr)) return { tag, vr, length: view.getUint16(start + 6, littleEndian) };
    this.#need(4);
    this.#offset += 4;
    return { tag, vr, length: view.getUint32(start + 8, littleEndian) };
  }

  #endAfter(tag: string, length: number): number | undefined {
    if (length === undefinedLength) return undefined;
    if (length > this.#bytes.length - this.#offset)
      throw new Malformed(`${written(tag)} reaches beyond the data set`);
    return this.#offset + length;
  }

  #take(tag: string, length: number): Uint8Array {
    const start = this.#offset;
    const end = this.#endAfter(tag, length) as number;
    this.#offset = end;
    return this.#bytes.subarray(start, end);
  }

  #need(bytes: number): void {
    if (this.#bytes.length - this.#offset < bytes) throw new Malformed('the data set ends within an element');
  }
}

/** The VR that it says, or that is known of it. */
function vrIn({ tag, vr, length }: Header): string {
  if (vr !== undefined && vr !== 'UN') return vr;
  return length === undefinedLength ? 'SQ' : (vrOf(tag) ?? 'UN');
}

/** (0010,0020) */
function written(tag: string): string {
  return `(${tag.slice(0, 4)},${tag.slice(4)})`;
}

function inflatedLengthMax({ length }: Uint8Array): number {
  const ofItsBytes = Math.max(inflatedIdentifierBytesMin, length * inflatedIdentifierRatioMax);
  return Math.min(identifierBytesMax, ofItsBytes);
}

function inflate(bytes: Uint8Array, lengthMax: number): Uint8Array {
  try {
    // The padding to an even length that follows the deflated stream is left alone.
    return inflateRawSync(bytes, {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: lengthMax,
    });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ERR_BUFFER_TOO_LARGE')
      throw new Malformed(`inflates to more than ${lengthMax} bytes`, { cause: error });
    if (code?.startsWith('Z_') === true)
      throw new Malformed('the data set cannot be inflated', { cause: error });
    throw error;
  }
}
