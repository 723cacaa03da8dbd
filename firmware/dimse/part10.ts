/** DICOM files (PS3.10 clause 7): preamble, group 0002, then the data set as it was sent. */
import { concatBytes, u16, u32 } from '../src/encoding/bytes.ts';
import { DataSetReader, tagText } from './data-set-reader.ts';
import { explicitLittleEndian } from './data-set-syntax.ts';
import { fileMetaBytesMax } from './limits.ts';
import { decodeAscii, encodeAscii } from './text.ts';
import { implementationClassUid, implementationVersionName } from './uids.ts';

export interface FileMeta {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  /** Source Application Entity Title (0002,0016): who sent the object. */
  readonly sourceAeTitle?: string;
}

export type Part10Header =
  | {
      readonly kind: 'complete';
      readonly meta: FileMeta;
      /** Where the data set begins. */ readonly dataSetOffset: number;
    }
  | { readonly kind: 'more' }
  | { readonly kind: 'malformed'; readonly reason: string };

const preambleBytes = 128;
const prefix = 'DICM';
const groupLengthTag = 0x00020000;
const groupLengthElementBytes = 12;
const tags = {
  sopClassUid: 0x00020002,
  sopInstanceUid: 0x00020003,
  transferSyntaxUid: 0x00020010,
  sourceAeTitle: 0x00020016,
} as const;

/** Explicit VR Little Endian with a length of two bytes; text is padded to an even length. */
function shortElement(tag: number, vr: string, value: Uint8Array): Uint8Array {
  const padded = value.length % 2 === 0 ? value : concatBytes(value, Uint8Array.of(vr === 'UI' ? 0 : 0x20));
  return concatBytes(
    u16(tag >>> 16).reverse(),
    u16(tag & 0xffff).reverse(),
    encodeAscii(vr),
    u16(padded.length).reverse(),
    padded,
  );
}

/** Everything of a file before its data set. */
export function part10Header(meta: FileMeta): Uint8Array {
  const version = concatBytes(
    Uint8Array.of(0x02, 0x00, 0x01, 0x00),
    encodeAscii('OB'),
    u16(0),
    u32(2).reverse(),
    Uint8Array.of(0, 1),
  );
  const elements = [
    version,
    shortElement(tags.sopClassUid, 'UI', encodeAscii(meta.sopClassUid)),
    shortElement(tags.sopInstanceUid, 'UI', encodeAscii(meta.sopInstanceUid)),
    shortElement(tags.transferSyntaxUid, 'UI', encodeAscii(meta.transferSyntaxUid)),
    shortElement(0x00020012, 'UI', encodeAscii(implementationClassUid)),
    shortElement(0x00020013, 'SH', encodeAscii(implementationVersionName)),
  ];
  if (meta.sourceAeTitle !== undefined)
    elements.push(shortElement(tags.sourceAeTitle, 'AE', encodeAscii(meta.sourceAeTitle)));
  const group = concatBytes(...elements);
  return concatBytes(
    new Uint8Array(preambleBytes),
    encodeAscii(prefix),
    shortElement(groupLengthTag, 'UL', u32(group.length).reverse()),
    group,
  );
}

/** A file's beginning: give at least `fileMetaBytesMax` bytes, or all there are. */
export function readPart10Header(bytes: Uint8Array): Part10Header {
  const start = preambleBytes + prefix.length;
  if (bytes.length < start + groupLengthElementBytes) return { kind: 'more' };
  if (decodeAscii(bytes.subarray(preambleBytes, start)) !== prefix) return malformed('no DICM prefix');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(start, true) !== 0x00000002 || view.getUint16(start + 6, true) !== 4)
    return malformed('no (0002,0000)');
  const groupBytes = view.getUint32(start + 8, true);
  if (groupBytes > fileMetaBytesMax) return malformed(`group 0002 is longer than ${fileMetaBytesMax} bytes`);
  const groupStart = start + groupLengthElementBytes;
  const dataSetOffset = groupStart + groupBytes;
  if (bytes.length < dataSetOffset) return { kind: 'more' };
  return readGroup(bytes.subarray(groupStart, dataSetOffset), dataSetOffset);
}

function readGroup(group: Uint8Array, dataSetOffset: number): Part10Header {
  const reader = new DataSetReader({ deflated: false, encoding: explicitLittleEndian }, fileMetaBytesMax);
  reader.push(group);
  const values = new Map<number, string>();
  let tag = 0;
  for (let token = reader.next(); token !== undefined; token = reader.next()) {
    if (token.kind === 'malformed') return token;
    if (token.kind === 'element') tag = token.tag;
    else values.set(tag, decodeAscii(token.bytes));
  }
  if (!reader.betweenElements) return malformed('group 0002 ends within an element');
  const sopClassUid = values.get(tags.sopClassUid);
  const sopInstanceUid = values.get(tags.sopInstanceUid);
  const transferSyntaxUid = values.get(tags.transferSyntaxUid);
  const sourceAeTitle = values.get(tags.sourceAeTitle);
  if (sopClassUid === undefined) return malformed(`no ${tagText(tags.sopClassUid)}`);
  if (sopInstanceUid === undefined) return malformed(`no ${tagText(tags.sopInstanceUid)}`);
  if (transferSyntaxUid === undefined) return malformed(`no ${tagText(tags.transferSyntaxUid)}`);
  return {
    kind: 'complete',
    meta: {
      sopClassUid,
      sopInstanceUid,
      transferSyntaxUid,
      ...(sourceAeTitle !== undefined && { sourceAeTitle }),
    },
    dataSetOffset,
  };
}

function malformed(reason: string): Part10Header {
  return { kind: 'malformed', reason };
}
