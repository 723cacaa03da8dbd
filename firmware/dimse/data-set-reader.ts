/**
 * The top-level elements of a data set as it streams by (PS3.5 clause 7): headers one by one, values as views of what
 * was pushed, sequences of undefined length as one value up to their delimiter. Linear in time, constant in memory
 * (a header that came in two pieces, and one number per level of nesting), and never recursive.
 */
import { concatBytes } from '../src/encoding/bytes.ts';
import {
  type DataSetSyntax,
  type ElementEncoding,
  explicitLittleEndian,
  implicitLittleEndian,
  isLongVr,
  showsExplicitVr,
} from './data-set-syntax.ts';
import { headerDepthMax } from './limits.ts';

export const undefinedLength = 0xffffffff;

export interface ElementHeader {
  readonly kind: 'element';
  /** Group in the upper, element in the lower 16 bits. */
  readonly tag: number;
  /** Undefined where the VR is implicit. */
  readonly vr: string | undefined;
  /** Of the value in bytes, or `undefinedLength`. */
  readonly length: number;
  /** As it was encoded, 8 or 12 bytes. */
  readonly bytes: Uint8Array;
  readonly encoding: ElementEncoding;
}

/** A piece of the value of the element before. Every value ends with one piece that is `last`. */
export interface ValuePiece {
  readonly kind: 'value';
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

export interface MalformedDataSet {
  readonly kind: 'malformed';
  readonly reason: string;
  /** It is only longer or has more elements than this reader may take. */
  readonly beyondLimits?: true;
}

export type DataSetToken = ElementHeader | ValuePiece | MalformedDataSet;

const itemTag = 0xfffee000;
const itemDelimitationTag = 0xfffee00d;
const sequenceDelimitationTag = 0xfffee0dd;

/** A nested part of undefined length; `encoding` undefined for fragments of encapsulated data, which hold no elements. */
interface Level {
  readonly kind: 'sequence' | 'item';
  readonly encoding: ElementEncoding | undefined;
}

interface Header {
  readonly tag: number;
  readonly vr: string | undefined;
  readonly length: number;
  readonly size: number;
}

export class DataSetReader {
  readonly #elementsMax: number;
  #encoding: ElementEncoding;
  #bytes: Uint8Array = new Uint8Array(0);
  #offset = 0;
  /** Bytes of the current value, or of the current nested defined-length part, still to come. */
  #left = 0;
  #inValue = false;
  readonly #levels: Level[] = [];
  #elements = 0;
  #malformed: MalformedDataSet | undefined;

  constructor(syntax: DataSetSyntax, elementsMax: number) {
    this.#encoding = syntax.encoding;
    this.#elementsMax = elementsMax;
  }

  push(chunk: Uint8Array): void {
    const rest = this.#bytes.subarray(this.#offset);
    // What is left over is less than one header: this copies a chunk at most once.
    this.#bytes = rest.length === 0 ? chunk : concatBytes(rest, chunk);
    this.#offset = 0;
  }

  /** True between two elements with nothing left over: the data set may end here. */
  get betweenElements(): boolean {
    return !this.#inValue && this.#offset === this.#bytes.length;
  }

  /** Headers of elements that were read, nested ones too. */
  get elements(): number {
    return this.#elements;
  }

  /** What was pushed and not read: for a caller that stops reading elements. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#offset);
  }

  /** The next token, or undefined until more is pushed. After 'malformed' there is nothing else. */
  next(): DataSetToken | undefined {
    if (this.#malformed !== undefined) return this.#malformed;
    return this.#inValue ? this.#value() : this.#element();
  }

  #element(): DataSetToken | undefined {
    if (this.#elements === 0) {
      if (this.#bytes.length - this.#offset < 8) return undefined;
      const explicitVr = showsExplicitVr(this.#bytes.subarray(this.#offset + 4, this.#offset + 6));
      this.#encoding = { ...this.#encoding, explicitVr };
    }
    const encoding = this.#encoding;
    const start = this.#offset;
    const header = this.#header(encoding);
    if (header === undefined) return this.#malformed;
    const { tag, vr, length, size } = header;
    if (isDelimiter(tag)) return this.#fail(`${tagText(tag)} outside of a sequence`);
    if (length === undefinedLength) {
      const level = nested(vr, encoding);
      if (level === undefined) return this.#fail(`${tagText(tag)} of VR ${vr ?? ''} has undefined length`);
      this.#levels.push(level);
    } else {
      this.#left = length;
    }
    this.#inValue = true;
    this.#offset += size;
    return { kind: 'element', tag, vr, length, bytes: this.#bytes.subarray(start, start + size), encoding };
  }

  /** As much of the current value as is there. */
  #value(): DataSetToken | undefined {
    const start = this.#offset;
    for (;;) {
      const skipped = Math.min(this.#left, this.#bytes.length - this.#offset);
      this.#left -= skipped;
      this.#offset += skipped;
      if (this.#left > 0) break;
      if (this.#levels.length === 0) {
        this.#inValue = false;
        break;
      }
      const step = this.#nested();
      if (step === 'more') break;
      if (step !== 'on') return step;
    }
    if (this.#inValue && this.#offset === start) return undefined;
    return { kind: 'value', bytes: this.#bytes.subarray(start, this.#offset), last: !this.#inValue };
  }

  /** One header within a part of undefined length. */
  #nested(): 'on' | 'more' | MalformedDataSet {
    const level = this.#levels.at(-1) as Level;
    const header = this.#header(level.encoding ?? explicitLittleEndian);
    if (header === undefined) return this.#malformed ?? 'more';
    const { tag, vr, length, size } = header;
    this.#offset += size;
    if (tag === (level.kind === 'item' ? itemDelimitationTag : sequenceDelimitationTag)) {
      this.#levels.pop();
      return 'on';
    }
    if (level.kind === 'sequence' ? tag !== itemTag : isDelimiter(tag)) {
      return this.#fail(
        `${tagText(tag)} where ${level.kind === 'item' ? 'an element' : 'an item'} must stand`,
      );
    }
    if (length !== undefinedLength) {
      this.#left = length;
      return 'on';
    }
    if (this.#levels.length >= headerDepthMax)
      return this.#fail(`nested more than ${headerDepthMax} levels deep`);
    const inner: Level | undefined =
      level.kind === 'item'
        ? nested(vr, level.encoding ?? explicitLittleEndian)
        : { kind: 'item', encoding: level.encoding };
    if (inner === undefined || (level.kind === 'sequence' && level.encoding === undefined)) {
      return this.#fail(`${tagText(tag)} has undefined length`);
    }
    this.#levels.push(inner);
    return 'on';
  }

  /** Looks at the header at the offset; undefined if it is not all there, or if there are too many. */
  #header(encoding: ElementEncoding): Header | undefined {
    const left = this.#bytes.length - this.#offset;
    if (left < 8) return undefined;
    const { littleEndian } = encoding;
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + this.#offset, Math.min(left, 12));
    const tag = view.getUint16(0, littleEndian) * 0x10000 + view.getUint16(2, littleEndian);
    let header: Header;
    const vr = encoding.explicitVr && !isDelimiter(tag) ? vrAt(view) : undefined;
    if (vr === undefined) {
      header = { tag, vr, length: view.getUint32(4, littleEndian), size: 8 };
    } else if (isLongVr(vr)) {
      if (left < 12) return undefined;
      header = { tag, vr, length: view.getUint32(8, littleEndian), size: 12 };
    } else {
      header = { tag, vr, length: view.getUint16(6, littleEndian), size: 8 };
    }
    if (++this.#elements > this.#elementsMax) {
      this.#malformed = {
        kind: 'malformed',
        reason: `more than ${this.#elementsMax} elements`,
        beyondLimits: true,
      };
      return undefined;
    }
    return header;
  }

  #fail(reason: string): MalformedDataSet {
    this.#malformed = { kind: 'malformed', reason };
    return this.#malformed;
  }
}

/** Two capitals; else the element is taken as implicit, as pydicom and dcmtk do with what some devices write. */
function vrAt(view: DataView): string | undefined {
  const first = view.getUint8(4);
  const second = view.getUint8(5);
  if (first < 0x41 || first > 0x5a || second < 0x41 || second > 0x5a) return undefined;
  return String.fromCharCode(first, second);
}

/** What an element of undefined length holds (PS3.5 7.5, A.4; UN holds Implicit VR Little Endian, 6.2.2). */
function nested(vr: string | undefined, encoding: ElementEncoding): Level | undefined {
  switch (vr) {
    case undefined:
    case 'SQ':
      return { kind: 'sequence', encoding };
    case 'UN':
      return { kind: 'sequence', encoding: implicitLittleEndian };
    case 'OB':
    case 'OW':
      return { kind: 'sequence', encoding: undefined };
    default:
      return undefined;
  }
}

function isDelimiter(tag: number): boolean {
  return tag === itemTag || tag === itemDelimitationTag || tag === sequenceDelimitationTag;
}

/** A tag as the standard writes it: (0010,0020). */
export function tagText(tag: number): string {
  const hex = tag.toString(16).toUpperCase().padStart(8, '0');
  return `(${hex.slice(0, 4)},${hex.slice(4)})`;
}
