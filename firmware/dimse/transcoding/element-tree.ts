/** A whole data set in memory as a tree of elements; values are views of its bytes (PS3.5, clause 7 and A.4). */
import {
  explicitLittleEndian,
  implicitLittleEndian,
  isLongVr,
  type ElementEncoding,
} from '../data-set-syntax.ts';
import { transcodedDepthMax, transcodedElementsMax } from './limits.ts';
import { TranscodingRefusal } from './refusal.ts';

export interface Element {
  /** Group in the upper, element in the lower 16 bits. */
  readonly tag: number;
  readonly vr: string;
  /** Empty for a sequence. Of a UN of undefined length: the items with their delimiters, as they came. */
  readonly value: Uint8Array;
  readonly items?: readonly (readonly Element[])[];
  /** Encapsulated pixel data: the offset table first, then the fragments. */
  readonly fragments?: readonly Uint8Array[];
  readonly undefinedLength?: true;
}

const itemTag = 0xfffee000;
const itemDelimitationTag = 0xfffee00d;
const sequenceDelimitationTag = 0xfffee0dd;
const undefinedLength = 0xffffffff;

export class ElementParser {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;
  #elements = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** All elements. @throws TranscodingRefusal. */
  parse(encoding: ElementEncoding): Element[] {
    return this.#elementsUntil(this.#bytes.length, encoding, 0);
  }

  /** Up to an offset, or up to an item delimiter. */
  #elementsUntil(end: number | undefined, encoding: ElementEncoding, depth: number): Element[] {
    if (depth > transcodedDepthMax)
      throw new TranscodingRefusal(`nested more than ${transcodedDepthMax} levels deep`);
    const elements: Element[] = [];
    while (end === undefined || this.#offset < end) {
      const tag = this.#tag(encoding.littleEndian);
      if (tag === itemDelimitationTag && end === undefined) {
        this.#u32(encoding.littleEndian);
        return elements;
      }
      elements.push(this.#element(tag, encoding, depth));
    }
    if (this.#offset !== end) throw new TranscodingRefusal('an element passes the end of its item');
    return elements;
  }

  #element(tag: number, encoding: ElementEncoding, depth: number): Element {
    if (++this.#elements > transcodedElementsMax)
      throw new TranscodingRefusal(`more than ${transcodedElementsMax} elements`);
    const { explicitVr, littleEndian } = encoding;
    const vr = explicitVr ? this.#vr() : '';
    let length: number;
    if (explicitVr && !isLongVr(vr)) length = this.#u16(littleEndian);
    else {
      if (explicitVr) this.#take(2);
      length = this.#u32(littleEndian);
    }
    if (vr === 'SQ') return { tag, vr, value: none, items: this.#items(length, encoding, depth) };
    if (length !== undefinedLength) return { tag, vr, value: this.#take(length) };
    if (vr === 'OB' || vr === 'OW') return { tag, vr, value: none, fragments: this.#fragments() };
    if (vr !== 'UN' && explicitVr)
      throw new TranscodingRefusal(`an element of VR ${vr} has undefined length`);
    const start = this.#offset;
    // A UN of undefined length holds Implicit VR Little Endian whatever is around it (PS3.5, 6.2.2).
    this.#items(length, vr === 'UN' ? implicitLittleEndian : encoding, depth);
    return { tag, vr, value: this.#bytes.subarray(start, this.#offset), undefinedLength: true };
  }

  #items(length: number, encoding: ElementEncoding, depth: number): Element[][] {
    const end = length === undefinedLength ? undefined : this.#offset + length;
    const items: Element[][] = [];
    while (end === undefined || this.#offset < end) {
      const tag = this.#tag(encoding.littleEndian);
      const itemLength = this.#u32(encoding.littleEndian);
      if (tag === sequenceDelimitationTag && end === undefined) return items;
      if (tag !== itemTag) throw new TranscodingRefusal('something else stands where an item must');
      const itemEnd = itemLength === undefinedLength ? undefined : this.#offset + itemLength;
      items.push(this.#elementsUntil(itemEnd, encoding, depth + 1));
    }
    return items;
  }

  #fragments(): Uint8Array[] {
    const fragments: Uint8Array[] = [];
    for (;;) {
      const tag = this.#tag(explicitLittleEndian.littleEndian);
      const length = this.#u32(explicitLittleEndian.littleEndian);
      if (tag === sequenceDelimitationTag) return fragments;
      if (tag !== itemTag) throw new TranscodingRefusal('something else stands where a fragment must');
      fragments.push(this.#take(length));
    }
  }

  #tag(littleEndian: boolean): number {
    const group = this.#u16(littleEndian);
    return group * 0x10000 + this.#u16(littleEndian);
  }

  #vr(): string {
    const [first = 0, second = 0] = this.#take(2);
    const vr = String.fromCharCode(first, second);
    if (!/^[A-Z]{2}$/.test(vr)) throw new TranscodingRefusal('an element has no VR');
    return vr;
  }

  #u16(littleEndian: boolean): number {
    this.#need(2);
    const value = this.#view.getUint16(this.#offset, littleEndian);
    this.#offset += 2;
    return value;
  }

  #u32(littleEndian: boolean): number {
    this.#need(4);
    const value = this.#view.getUint32(this.#offset, littleEndian);
    this.#offset += 4;
    return value;
  }

  #take(length: number): Uint8Array {
    this.#need(length);
    this.#offset += length;
    return this.#bytes.subarray(this.#offset - length, this.#offset);
  }

  #need(length: number): void {
    if (this.#offset + length > this.#bytes.length)
      throw new TranscodingRefusal('the data set ends inside an element');
  }
}

const none = new Uint8Array(0);
