/** Elements in Explicit or Implicit VR Little Endian, from whatever they were read in (PS3.5, clause 7). */
import { isLongVr } from '../data-set-syntax.ts';
import type { Element } from './element-tree.ts';
import { TranscodingRefusal } from './refusal.ts';

export interface WrittenForm {
  readonly explicitVr: boolean;
  /** Values were read from big endian: numbers are turned round. */
  readonly swapped: boolean;
}

const undefinedLength = 0xffffffff;
const itemTag = 0xfffee000;
const itemDelimitationTag = 0xfffee00d;
const sequenceDelimitationTag = 0xfffee0dd;

/** Bytes of one number, for VRs that hold numbers (PS3.5, table 6.2-1 and 7.3). */
const numberBytes: Readonly<Record<string, 2 | 4 | 8>> = {
  AT: 2,
  FD: 8,
  FL: 4,
  OD: 8,
  OF: 4,
  OL: 4,
  OV: 8,
  OW: 2,
  SL: 4,
  SS: 2,
  SV: 8,
  UL: 4,
  US: 2,
  UV: 8,
};

/** Elements in order. Group lengths are left out: they are retired and would be wrong. */
export function* writtenElements(elements: readonly Element[], form: WrittenForm): Generator<Uint8Array> {
  for (const element of elements) {
    if (element.tag % 0x10000 === 0) continue;
    yield* writtenElement(element, form);
  }
}

function* writtenElement(element: Element, form: WrittenForm): Generator<Uint8Array> {
  const { tag, vr, value, items, fragments, undefinedLength: isOpen } = element;
  if (fragments !== undefined) throw new TranscodingRefusal('compressed data stand inside a sequence');
  if (items !== undefined) {
    yield elementHeader(tag, vr, undefinedLength, form.explicitVr);
    for (const item of items) {
      yield bareHeader(itemTag, undefinedLength);
      yield* writtenElements(item, form);
      yield bareHeader(itemDelimitationTag, 0);
    }
    yield bareHeader(sequenceDelimitationTag, 0);
    return;
  }
  // Its items are Implicit VR Little Endian already, delimiters included.
  yield elementHeader(tag, vr, isOpen === true ? undefinedLength : value.length, form.explicitVr);
  yield form.swapped && isOpen !== true ? turned(value, numberBytes[vr] ?? 1) : value;
}

export function elementHeader(tag: number, vr: string, length: number, explicitVr: boolean): Uint8Array {
  if (!explicitVr) return bareHeader(tag, length);
  const isLong = isLongVr(vr);
  const header = new Uint8Array(isLong ? 12 : 8);
  const view = new DataView(header.buffer);
  putTag(view, tag);
  view.setUint8(4, vr.charCodeAt(0));
  view.setUint8(5, vr.charCodeAt(1));
  if (isLong) view.setUint32(8, length, true);
  else view.setUint16(6, length, true);
  return header;
}

/** Pixel data in fragments of one frame each, with an empty offset table (PS3.5, A.4). */
export function* encapsulated(frames: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield bareHeader(itemTag, 0);
  for (const frame of frames) {
    yield bareHeader(itemTag, frame.length + (frame.length % 2));
    yield frame;
    if (frame.length % 2 === 1) yield new Uint8Array(1);
  }
  yield bareHeader(sequenceDelimitationTag, 0);
}

/** Without a VR, as items, delimiters and all of Implicit VR are written. */
function bareHeader(tag: number, length: number): Uint8Array {
  const header = new Uint8Array(8);
  const view = new DataView(header.buffer);
  putTag(view, tag);
  view.setUint32(4, length, true);
  return header;
}

function putTag(view: DataView, tag: number): void {
  view.setUint16(0, Math.floor(tag / 0x10000), true);
  view.setUint16(2, tag % 0x10000, true);
}

function turned(value: Uint8Array, bytes: number): Uint8Array {
  if (bytes === 1) return value;
  const copy = Buffer.from(value.subarray(0, value.length - (value.length % bytes)));
  if (bytes === 2) copy.swap16();
  else if (bytes === 4) copy.swap32();
  else copy.swap64();
  if (copy.length !== value.length) throw new TranscodingRefusal('a value is no whole number of numbers');
  return copy;
}
