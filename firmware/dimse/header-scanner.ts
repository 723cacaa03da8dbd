/** What a data set says about itself at its beginning, read as it streams by; no more is read than is needed. */
import { constants, inflateRawSync } from 'node:zlib';
import { withoutPadding } from '../src/encoding/padding.ts';
import { decodeText } from './character-set.ts';
import { DataSetReader, tagText, undefinedLength } from './data-set-reader.ts';
import { type DataSetSyntax, dataSetSyntax } from './data-set-syntax.ts';
import { joinBytes } from './join-bytes.ts';
import {
  deflatedHeaderBytesMax,
  headerBytesMax,
  headerElementsMax,
  headerValueBytesMax,
  inflatedHeaderBytesMax,
} from './limits.ts';

/** The top-level elements that are read, by the name of the result's field. All stand before (0020,0013). */
const wanted = {
  specificCharacterSet: 0x00080005,
  sopClassUid: 0x00080016,
  sopInstanceUid: 0x00080018,
  studyDate: 0x00080020,
  studyTime: 0x00080030,
  accessionNumber: 0x00080050,
  modality: 0x00080060,
  institutionName: 0x00080080,
  referringPhysicianName: 0x00080090,
  studyDescription: 0x00081030,
  seriesDescription: 0x0008103e,
  patientName: 0x00100010,
  patientId: 0x00100020,
  issuerOfPatientId: 0x00100021,
  patientBirthDate: 0x00100030,
  patientSex: 0x00100040,
  bodyPartExamined: 0x00180015,
  studyInstanceUid: 0x0020000d,
  seriesInstanceUid: 0x0020000e,
  studyId: 0x00200010,
  seriesNumber: 0x00200011,
  instanceNumber: 0x00200013,
} as const;

type Field = keyof typeof wanted;
const fieldOf = new Map<number, Field>(Object.entries(wanted).map(([field, tag]) => [tag, field as Field]));
const lastTag = wanted.instanceNumber;

/** Values without padding; several values stay joined by backslashes. Absent elements are absent, empty ones ''. */
export type HeaderElements = { readonly [field in Field]?: string };

export type ScanResult =
  | { readonly kind: 'complete'; readonly elements: HeaderElements }
  /** The beginning is not all there yet. */
  | { readonly kind: 'more' }
  /** `reason` names tags and limits, never values. */
  | {
      readonly kind: 'malformed';
      readonly reason: string;
      /** It is only too much for the limits of this scan: larger ones may find the header complete. */
      readonly beyondLimits?: true;
    };

/** How much of a data set is looked at before it is given up. */
export interface ScanLimits {
  readonly bytesMax: number;
  readonly elementsMax: number;
  /** Of the values that are read, before they are decoded. */
  readonly textBytesMax: number;
  /** Of a deflated data set, as it came. */
  readonly deflatedBytesMax: number;
  readonly inflatedBytesMax: number;
}

/** What any header may take. */
export const scanLimits: ScanLimits = {
  bytesMax: headerBytesMax,
  elementsMax: headerElementsMax,
  textBytesMax: Object.keys(wanted).length * headerValueBytesMax,
  deflatedBytesMax: deflatedHeaderBytesMax,
  inflatedBytesMax: inflatedHeaderBytesMax,
};

const more: ScanResult = { kind: 'more' };
const malformed = (reason: string): ScanResult => ({ kind: 'malformed', reason });
const beyondLimits = (reason: string): ScanResult => ({ kind: 'malformed', reason, beyondLimits: true });

/**
 * Fed with a data set piece by piece, until it no longer says 'more'; then the answer stays. Keeps no more than the
 * values that it reads; of a deflated data set the compressed beginning.
 */
export class HeaderScanner {
  readonly #scan: PlainScan | DeflatedScan;

  constructor(transferSyntaxUid: string, limits: ScanLimits = scanLimits) {
    const syntax = dataSetSyntax(transferSyntaxUid);
    this.#scan = syntax.deflated ? new DeflatedScan(syntax, limits) : new PlainScan(syntax, limits);
  }

  /** Headers of elements that were read so far, those that a deflated beginning cost again and again too. */
  get elements(): number {
    return this.#scan.elements;
  }

  /** Bytes of values that were decoded so far. */
  get textBytes(): number {
    return this.#scan.textBytes;
  }

  /** The chunk must not change afterwards. */
  push(chunk: Uint8Array): ScanResult {
    return this.#scan.push(chunk);
  }

  /** The data set has ended. Never 'more'. */
  end(): ScanResult {
    return this.#scan.end();
  }
}

/** The same for a beginning that is at hand; `atEnd` if it is the whole data set. Linear in its length. */
export function scanHeader(
  bytes: Uint8Array,
  transferSyntaxUid: string,
  options: { readonly atEnd?: boolean } = {},
): ScanResult {
  const scanner = new HeaderScanner(transferSyntaxUid);
  const result = scanner.push(bytes);
  return result.kind === 'more' && options.atEnd === true ? scanner.end() : result;
}

class PlainScan {
  readonly #limits: ScanLimits;
  readonly #reader: DataSetReader;
  readonly #values = new Map<Field, Uint8Array>();
  #field: Field | undefined;
  #pieces: Uint8Array[] = [];
  #scanned = 0;
  #textBytes = 0;
  #result: ScanResult = more;

  constructor(syntax: DataSetSyntax, limits: ScanLimits) {
    this.#limits = limits;
    this.#reader = new DataSetReader(syntax, limits.elementsMax);
  }

  get elements(): number {
    return this.#reader.elements;
  }

  get textBytes(): number {
    return this.#result.kind === 'complete' ? this.#textBytes : 0;
  }

  push(chunk: Uint8Array): ScanResult {
    if (this.#result.kind !== 'more') return this.#result;
    this.#scanned += chunk.length;
    this.#reader.push(chunk);
    this.#result = this.#read();
    const { bytesMax } = this.#limits;
    if (this.#result.kind === 'more' && this.#scanned > bytesMax) {
      this.#result = beyondLimits(`${tagText(lastTag)} is not reached within ${bytesMax} bytes`);
    }
    return this.#result;
  }

  end(): ScanResult {
    if (this.#result.kind === 'more') {
      this.#result = this.#reader.betweenElements
        ? this.#complete()
        : malformed('the data set ends within an element');
    }
    return this.#result;
  }

  #read(): ScanResult {
    for (let token = this.#reader.next(); token !== undefined; token = this.#reader.next()) {
      if (token.kind === 'malformed') return token;
      if (token.kind === 'element') {
        const { tag, length } = token;
        if (tag > lastTag) return this.#complete();
        this.#field = fieldOf.get(tag);
        this.#pieces = [];
        if (this.#field === undefined) continue;
        if (length === undefinedLength || length > headerValueBytesMax)
          return malformed(`${tagText(tag)} is too long`);
        // Two answers to one question: another reader might take the other one.
        if (this.#values.has(this.#field)) return malformed(`${tagText(tag)} stands twice`);
        this.#textBytes += length;
        const { textBytesMax } = this.#limits;
        if (this.#textBytes > textBytesMax) return beyondLimits(`more than ${textBytesMax} bytes of text`);
      } else if (this.#field !== undefined) {
        this.#pieces.push(token.bytes);
        if (token.last) this.#values.set(this.#field, joinBytes(this.#pieces));
      }
    }
    return more;
  }

  #complete(): ScanResult {
    const characterSet = this.#text('specificCharacterSet', '') ?? '';
    const elements: { [field in Field]?: string } = {};
    for (const field of this.#values.keys()) {
      const text = this.#text(field, characterSet);
      if (text !== undefined) elements[field] = text;
    }
    return { kind: 'complete', elements };
  }

  #text(field: Field, characterSet: string): string | undefined {
    const bytes = this.#values.get(field);
    return bytes && withoutPadding(decodeText(bytes, characterSet));
  }
}

const firstTryBytes = 4096;
/** Deflate expands at most 1032-fold: one step adds at most 66 KB. */
const stepBytesMin = 64;

/**
 * The compressed beginning is kept and inflated anew at each doubling: linear in total. node:zlib offers no synchronous
 * inflation piece by piece, and with an output limit it gives all or nothing; hence the smaller steps when a doubling
 * inflates to too much.
 */
class DeflatedScan {
  readonly #syntax: DataSetSyntax;
  readonly #limits: ScanLimits;
  #elements = 0;
  #textBytes = 0;
  #pieces: Uint8Array[] = [];
  #length = 0;
  #next = firstTryBytes;
  #result: ScanResult = more;

  constructor(syntax: DataSetSyntax, limits: ScanLimits) {
    this.#syntax = syntax;
    this.#limits = limits;
  }

  get elements(): number {
    return this.#elements;
  }

  get textBytes(): number {
    return this.#textBytes;
  }

  push(chunk: Uint8Array): ScanResult {
    if (this.#result.kind !== 'more') return this.#result;
    this.#pieces.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#next) return more;
    const bytes = joinBytes(this.#pieces);
    this.#pieces = [bytes];
    while (this.#next <= this.#length && this.#result.kind === 'more') {
      this.#result = this.#try(bytes.subarray(0, this.#next), false);
      this.#next *= 2;
    }
    const { deflatedBytesMax } = this.#limits;
    if (this.#result.kind === 'more' && this.#length > deflatedBytesMax) {
      this.#result = beyondLimits(`the header is not complete within ${deflatedBytesMax} compressed bytes`);
    }
    return this.#settle();
  }

  end(): ScanResult {
    if (this.#result.kind === 'more') this.#result = this.#try(joinBytes(this.#pieces), true);
    return this.#settle();
  }

  #settle(): ScanResult {
    if (this.#result.kind !== 'more') this.#pieces = [];
    return this.#result;
  }

  #try(bytes: Uint8Array, atEnd: boolean): ScanResult {
    const whole = this.#tryInflated(this.#inflate(bytes), atEnd);
    if (whole !== 'too-long') return whole;
    // The longest beginning that does not inflate to too much, to within one step.
    let fits = Math.floor(bytes.length / 2);
    let tooLong = bytes.length;
    while (tooLong - fits > stepBytesMin) {
      const middle = Math.floor((fits + tooLong) / 2);
      const result = this.#tryInflated(this.#inflate(bytes.subarray(0, middle)), false);
      if (result === 'too-long') tooLong = middle;
      else if (result.kind === 'more') fits = middle;
      else return result;
    }
    return beyondLimits(`the header inflates to more than ${this.#limits.inflatedBytesMax} bytes`);
  }

  #inflate(bytes: Uint8Array): Inflated {
    return inflateBeginning(bytes, this.#limits.inflatedBytesMax);
  }

  #tryInflated(inflated: Inflated, atEnd: boolean): ScanResult | 'too-long' {
    if (inflated.kind === 'too-long') return 'too-long';
    if (inflated.kind === 'corrupt') return malformed('the data set cannot be inflated');
    const scan = new PlainScan(this.#syntax, this.#limits);
    const result = scan.push(inflated.bytes);
    this.#elements += scan.elements;
    const settled = result.kind === 'more' && atEnd ? scan.end() : result;
    this.#textBytes += scan.textBytes;
    return settled;
  }
}

type Inflated =
  | { readonly kind: 'inflated'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-long' }
  | { readonly kind: 'corrupt' };

function inflateBeginning(bytes: Uint8Array, maxOutputLength: number): Inflated {
  const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength };
  try {
    return { kind: 'inflated', bytes: inflateRawSync(bytes, options) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ERR_BUFFER_TOO_LARGE') return { kind: 'too-long' };
    if (code?.startsWith('Z_') === true) return { kind: 'corrupt' };
    throw error;
  }
}
