/**
 * Reconciliation of an object on its way to a local archive (IHE IRWF, PS3.3 C.12.1): identifying elements take local
 * values, the previous ones are kept in a new item of Original Attributes Sequence, every other byte passes through.
 * A stream in the object's own transfer syntax; what is held is one value, never the pixel data.
 */
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createDeflateRaw, createInflateRaw } from 'node:zlib';
import { AppError } from '../src/errors.ts';
import { concatBytes } from '../src/encoding/bytes.ts';
import { withoutTrailingPadding } from '../src/encoding/padding.ts';
import { decodeText, encodeText } from './character-set.ts';
import {
  DataSetReader,
  type DataSetToken,
  type ElementHeader,
  tagText,
  undefinedLength,
} from './data-set-reader.ts';
import {
  type DataSetSyntax,
  dataSetSyntax,
  type ElementEncoding,
  explicitLittleEndian,
  implicitLittleEndian,
} from './data-set-syntax.ts';
import { encodeElement, encodeItem, encodeSequence } from './element-encoder.ts';
import { padToEven } from './even-padding.ts';
import { headerElementsMax, headerValueBytesMax, originalAttributesBytesMax } from './limits.ts';
import { joinBytes } from './join-bytes.ts';
import { encodeAscii } from './text.ts';

/** What may be replaced, in the order of the tags. */
const replaceable = {
  accessionNumber: { tag: 0x00080050, vr: 'SH' },
  patientName: { tag: 0x00100010, vr: 'PN' },
  patientId: { tag: 0x00100020, vr: 'LO' },
  issuerOfPatientId: { tag: 0x00100021, vr: 'LO' },
  patientBirthDate: { tag: 0x00100030, vr: 'DA' },
  patientSex: { tag: 0x00100040, vr: 'CS' },
} as const;

type Replaceable = keyof typeof replaceable;

const specificCharacterSetTag = 0x00080005;
const originalAttributesSequenceTag = 0x04000561;
const modifiedAttributesSequenceTag = 0x04000550;
const attributeModificationDateTimeTag = 0x04000562;
const modifyingSystemTag = 0x04000563;
const sourceOfPreviousValuesTag = 0x04000564;
const reasonForModificationTag = 0x04000565;
const sequenceDelimiterBytes = 8;

export interface Replacement {
  /** New values; '' empties the element. What is not named stays as it is. One value each, no backslash. */
  readonly values: { readonly [name in Replaceable]?: string };
  /** UTC, milliseconds since 1970. */
  readonly modifiedAt: number;
  /** Modifying System (0400,0563), at most 64 characters. */
  readonly modifyingSystem: string;
  /** Source of Previous Values (0400,0564): whoever used them, at most 64 characters. */
  readonly sourceOfPreviousValues: string;
}

/**
 * The data set with the new values. If none differs from what stands there, all bytes pass unchanged. Retired group
 * lengths of the groups that change are left out, since they would be wrong.
 * @throws AppError OBJECT_UNREADABLE if the data set cannot be parsed up to (0400,0561); REQUEST_INVALID if a value
 * cannot be written in the object's character set.
 */
export async function* replaceElements(
  data: AsyncIterable<Uint8Array>,
  transferSyntaxUid: string,
  replacement: Replacement,
): AsyncGenerator<Uint8Array> {
  const syntax = dataSetSyntax(transferSyntaxUid);
  if (!syntax.deflated) {
    yield* splice(data, syntax, replacement);
    return;
  }
  const inflated = through(data, createInflateRaw());
  yield* padToEven(through(splice(inflated, syntax, replacement), createDeflateRaw()));
}

async function* splice(
  data: AsyncIterable<Uint8Array>,
  syntax: DataSetSyntax,
  replacement: Replacement,
): AsyncGenerator<Uint8Array> {
  const splicer = new Splicer(syntax, replacement);
  for await (const chunk of data) {
    const spliced = splicer.push(chunk);
    if (spliced.length > 0) yield spliced;
  }
  const last = splicer.end();
  if (last.length > 0) yield last;
}

interface Edit {
  readonly tag: number;
  readonly vr: string;
  readonly value: string;
}

interface PreviousValue {
  readonly tag: number;
  readonly vr: string;
  readonly bytes: Uint8Array;
}

/** What happens to the value of the current element. */
type Handling =
  | { readonly kind: 'pass' }
  | { readonly kind: 'drop' }
  | {
      readonly kind: 'gather';
      readonly header: ElementHeader;
      readonly edit: Edit | undefined;
      readonly pieces: Uint8Array[];
    };

const pass: Handling = { kind: 'pass' };

class Splicer {
  readonly #reader: DataSetReader;
  readonly #replacement: Replacement;
  /** Not yet reached, in the order of their tags. */
  readonly #edits: Edit[];
  readonly #editedGroups: ReadonlySet<number>;
  readonly #done = new Set<number>();
  readonly #previous: PreviousValue[] = [];
  #encoding: ElementEncoding = explicitLittleEndian;
  #characterSet = '';
  #handling: Handling = pass;
  #output: Uint8Array[] = [];
  #gathered = 0;
  /** Beyond (0400,0561): nothing is read any more. */
  #passing = false;

  constructor(syntax: DataSetSyntax, replacement: Replacement) {
    this.#reader = new DataSetReader(syntax, headerElementsMax);
    this.#replacement = replacement;
    this.#edits = editsOf(replacement);
    this.#editedGroups = new Set([
      ...this.#edits.map(({ tag }) => tag >>> 16),
      originalAttributesSequenceTag >>> 16,
    ]);
  }

  push(chunk: Uint8Array): Uint8Array {
    if (this.#passing) return chunk;
    this.#reader.push(chunk);
    // `#passing` is set in the loop.
    for (
      let token = this.#reader.next();
      token !== undefined;
      token = this.#passing ? undefined : this.#reader.next()
    ) {
      this.#take(token);
    }
    return this.#flush();
  }

  end(): Uint8Array {
    if (!this.#passing) {
      if (!this.#reader.betweenElements) throw unreadable('the data set ends within an element');
      this.#insertBefore(0x1_0000_0000);
    }
    return this.#flush();
  }

  #flush(): Uint8Array {
    const output = this.#output;
    this.#output = [];
    return joinBytes(output);
  }

  #take(token: DataSetToken): void {
    switch (token.kind) {
      case 'malformed':
        throw unreadable(token.reason);
      case 'element':
        this.#element(token);
        return;
      case 'value':
        this.#value(token.bytes, token.last);
    }
  }

  #element(header: ElementHeader): void {
    const { tag } = header;
    this.#encoding = header.encoding;
    if (this.#done.has(tag)) throw unreadable(`${tagText(tag)} stands out of order or twice`);
    const edit = this.#edits.find((each) => each.tag === tag);
    this.#insertBefore(tag);
    if (tag > originalAttributesSequenceTag) {
      this.#passing = true;
      this.#output.push(header.bytes, this.#reader.rest());
      return;
    }
    this.#handling = this.#handlingOf(header, edit);
    if (this.#handling.kind === 'pass') this.#output.push(header.bytes);
  }

  #handlingOf(header: ElementHeader, edit: Edit | undefined): Handling {
    const { tag, length } = header;
    const isSequence = tag === originalAttributesSequenceTag;
    if (edit !== undefined || tag === specificCharacterSetTag) {
      if (length === undefinedLength || length > headerValueBytesMax)
        throw unreadable(`${tagText(tag)} is too long`);
    } else if (!isSequence) {
      const isGroupLength = (tag & 0xffff) === 0 && this.#editedGroups.has(tag >>> 16);
      return isGroupLength ? { kind: 'drop' } : pass;
    }
    this.#gathered = 0;
    return { kind: 'gather', header, edit, pieces: [] };
  }

  #value(bytes: Uint8Array, last: boolean): void {
    const handling = this.#handling;
    if (handling.kind === 'pass') this.#output.push(bytes);
    if (handling.kind !== 'gather') return;
    this.#gathered += bytes.length;
    if (this.#gathered > originalAttributesBytesMax)
      throw unreadable(`${tagText(handling.header.tag)} is too long`);
    handling.pieces.push(bytes);
    if (last) this.#gatheredValue(handling.header, handling.edit, joinBytes(handling.pieces));
  }

  #gatheredValue(header: ElementHeader, edit: Edit | undefined, value: Uint8Array): void {
    if (edit !== undefined) {
      this.#replace(header, edit, value);
    } else if (header.tag === originalAttributesSequenceTag) {
      this.#done.add(originalAttributesSequenceTag);
      this.#output.push(...this.#appended(header, value));
    } else {
      this.#characterSet = decodeText(value, '').trim();
      this.#output.push(header.bytes, value);
    }
  }

  #replace(header: ElementHeader, edit: Edit, value: Uint8Array): void {
    this.#finished(edit);
    if (withoutTrailingPadding(decodeText(value, this.#characterSet)) === edit.value) {
      this.#output.push(header.bytes, value);
      return;
    }
    this.#previous.push({ tag: edit.tag, vr: header.vr ?? edit.vr, bytes: value });
    this.#output.push(this.#encoded(edit));
  }

  /** New elements whose place is before this tag. */
  #insertBefore(tag: number): void {
    for (const edit of this.#edits.filter((each) => each.tag < tag)) {
      this.#finished(edit);
      // An absent element that is to be empty stays absent.
      if (edit.value === '') continue;
      this.#previous.push({ tag: edit.tag, vr: edit.vr, bytes: new Uint8Array(0) });
      this.#output.push(this.#encoded(edit));
    }
    if (tag > originalAttributesSequenceTag && !this.#done.has(originalAttributesSequenceTag)) {
      this.#done.add(originalAttributesSequenceTag);
      if (this.#previous.length === 0) return;
      const item = this.#originalAttributes(this.#encoding);
      this.#output.push(encodeSequence(this.#encoding, originalAttributesSequenceTag, item));
    }
  }

  #finished(edit: Edit): void {
    this.#edits.splice(this.#edits.indexOf(edit), 1);
    this.#done.add(edit.tag);
  }

  #encoded(edit: Edit): Uint8Array {
    const value = encodeText(edit.value, this.#characterSet);
    if (value === undefined) {
      const characterSet = this.#characterSet === '' ? 'the default character set' : this.#characterSet;
      throw new AppError(
        'REQUEST_INVALID',
        `${tagText(edit.tag)} cannot be written in ${characterSet} of the object`,
      );
    }
    return encodeElement(this.#encoding, edit.tag, edit.vr, value);
  }

  /** An Original Attributes Sequence that is there, with one more item. */
  #appended(header: ElementHeader, value: Uint8Array): Uint8Array[] {
    if (this.#previous.length === 0) return [header.bytes, value];
    // A sequence of VR UN is encoded in Implicit VR Little Endian (PS3.5 6.2.2).
    const encoding = header.vr === 'UN' ? implicitLittleEndian : header.encoding;
    const item = encodeItem(encoding, this.#originalAttributes(encoding));
    if (header.length === undefinedLength) {
      const end = value.length - sequenceDelimiterBytes;
      return [header.bytes, value.subarray(0, end), item, value.subarray(end)];
    }
    const lengthened = header.bytes.slice();
    // Long and implicit headers both end with the length in four bytes.
    new DataView(lengthened.buffer).setUint32(
      lengthened.length - 4,
      header.length + item.length,
      header.encoding.littleEndian,
    );
    return [lengthened, value, item];
  }

  /**
   * The elements of an item of Original Attributes Sequence. An element that was absent is listed with an empty value:
   * that was its previous value.
   */
  #originalAttributes(encoding: ElementEncoding): Uint8Array {
    const { modifiedAt, modifyingSystem, sourceOfPreviousValues } = this.#replacement;
    const previous = this.#previous.map(({ tag, vr, bytes }) => encodeElement(encoding, tag, vr, bytes));
    return concatBytes(
      encodeSequence(encoding, modifiedAttributesSequenceTag, concatBytes(...previous)),
      encodeElement(encoding, attributeModificationDateTimeTag, 'DT', encodeAscii(dateTime(modifiedAt))),
      encodeElement(encoding, modifyingSystemTag, 'LO', encodeAscii(modifyingSystem)),
      encodeElement(encoding, sourceOfPreviousValuesTag, 'LO', encodeAscii(sourceOfPreviousValues)),
      encodeElement(encoding, reasonForModificationTag, 'CS', encodeAscii('COERCE')),
    );
  }
}

function editsOf({ values }: Replacement): Edit[] {
  const edits: Edit[] = [];
  for (const [name, { tag, vr }] of Object.entries(replaceable)) {
    const value = values[name as Replaceable];
    if (value === undefined) continue;
    // eslint-disable-next-line no-control-regex -- controls are what is refused
    if (/[\\\x00-\x1f\x7f]/.test(value))
      throw new AppError('REQUEST_INVALID', `the value for ${tagText(tag)} holds a backslash or control`);
    edits.push({ tag, vr, value: value.trimEnd() });
  }
  return edits;
}

/** VR DT in UTC: 20261122120000.000000+0000. */
function dateTime(utcMs: number): string {
  return `${new Date(utcMs).toISOString().replace(/[-:TZ]/g, '')}000+0000`;
}

function unreadable(reason: string): AppError {
  return new AppError('OBJECT_UNREADABLE', `reconciliation: ${reason}`);
}

/** The data through a zlib stream. @throws AppError OBJECT_UNREADABLE for corrupt input; the source's error as it is. */
async function* through(data: AsyncIterable<Uint8Array>, transform: Transform): AsyncGenerator<Uint8Array> {
  const running = pipeline(Readable.from(data), transform);
  // A failure destroys the transform with the same error, and so reaches the reader below.
  running.catch(() => undefined);
  try {
    for await (const chunk of transform) yield chunk as Uint8Array;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code?.startsWith('Z_') === true) throw unreadable(`the data set cannot be inflated (${code})`);
    throw error;
  }
}
