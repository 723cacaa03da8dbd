/**
 * Bytes of a study's log (docs/formats.md, "Study log"): a header, then frames, then zeros. Integers big-endian.
 *
 *   header = "HILUMSTY" ‖ u32 version ‖ studyRef(16) ‖ u64 prepared ‖ 24 zero bytes ‖ u32 CRC-32 of the 60 before
 *   frame  = head(56) ‖ record ‖ data ‖ end mark
 *   head   = "HSF" ‖ u8 kind ‖ u32 length of record ‖ u32 length of data ‖ u64 durable ‖ chain(32) ‖ u32 CRC-32
 *   chain  = SHA-256(chain of the frame before ‖ the head's first 20 bytes ‖ record); first: H("study-log", header)
 *
 * `prepared`: the file was made so long, in zeros, before it became the log; 0 if it was not, and in the first chain value.
 * `durable`: the log was known to be on disk up to this byte when the frame was composed. The CRC covers the 52 bytes
 * before it, so that a head can be recognised by itself. The data are not in the chain: they are authenticated by their
 * own tag, which the record holds, and another pass over them would cost as much as sealing them.
 */
import { crc32 } from 'node:zlib';
import { concatBytes, equalBytes, fromHex, toHex, u32, u64, utf8 } from '../encoding/bytes.ts';
import { hash, sha256 } from '../encoding/hash.ts';
import { frameDataBytesMax, frameRecordBytesMax } from './limits.ts';

export const logHeaderBytes = 64;
export const frameHeadBytes = 56;
/** What a frame adds to its record and data. */
export const frameOverheadBytes = frameHeadBytes + 1;
export const frameMagic = utf8('HSF');
/** Never zero, so that a frame whose end was not written shows in the zeros around it. */
export const endMark = 0x5a;

const magic = utf8('HILUMSTY');
const version = 1;
const chainedHeadBytes = 20;
const crcOffset = 52;

export const frameKinds = {
  /** Holds nothing: says that all before it is on disk. */
  mark: 1,
  /** A record. */
  record: 2,
  /** A record and its object, sealed. */
  object: 3,
  /** A record of an object in a file of its own; the data are the file's name, 16 bytes. */
  file: 4,
} as const;

export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds];

export interface LogHeader {
  /** Hexadecimal. */
  readonly studyRef: string;
  /** The file was made so long, in zeros, before it became the log; 0 if it grows from nothing. */
  readonly preparedBytes: number;
}

export function encodeLogHeader({ studyRef, preparedBytes }: LogHeader): Uint8Array {
  const start = concatBytes(magic, u32(version), fromHex(studyRef), u64(preparedBytes), new Uint8Array(24));
  return concatBytes(start, u32(crc32(start)));
}

/** Undefined if it is not as it was written. */
export function parseLogHeader(bytes: Uint8Array): LogHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length !== logHeaderBytes || view.getUint32(60) !== crc32(bytes.subarray(0, 60)))
    return undefined;
  const header = { studyRef: toHex(bytes.subarray(12, 28)), preparedBytes: Number(view.getBigUint64(28)) };
  if (!Number.isSafeInteger(header.preparedBytes)) return undefined;
  return equalBytes(bytes, encodeLogHeader(header)) ? header : undefined;
}

/** The chain value before the first frame: the same however the file was made. */
export function firstChain(studyRef: string): Uint8Array {
  return hash('study-log', encodeLogHeader({ studyRef, preparedBytes: 0 }));
}

export interface FrameContent {
  readonly kind: FrameKind;
  readonly record: Uint8Array;
  /** In pieces, as they were sealed. */
  readonly data: readonly Uint8Array[];
}

export function dataBytes({ data }: FrameContent): number {
  return data.reduce((sum, { length }) => sum + length, 0);
}

/** Bytes of the whole frame. */
export function frameBytes(content: FrameContent): number {
  return frameOverheadBytes + content.record.length + dataBytes(content);
}

export interface EncodedFrame {
  /** To be written one after the other. */
  readonly pieces: readonly Uint8Array[];
  readonly chain: Uint8Array;
}

export const emptyMark: FrameContent = { kind: frameKinds.mark, record: new Uint8Array(0), data: [] };

/** @throws RangeError for a record or data that no frame can hold: their writer's error. */
export function assertFits(content: FrameContent): void {
  const { record } = content;
  if (record.length > frameRecordBytesMax || dataBytes(content) > frameDataBytesMax)
    throw new RangeError(`a frame of ${record.length} and ${dataBytes(content)} bytes`);
}

export function encodeFrame(content: FrameContent, durable: number, previousChain: Uint8Array): EncodedFrame {
  const { kind, record, data } = content;
  const lengths = concatBytes(u32(record.length), u32(dataBytes(content)));
  const start = concatBytes(frameMagic, Uint8Array.of(kind), lengths, u64(durable));
  const chain = chainAfter(previousChain, start, record);
  const crc = u32(crc32(chain, crc32(start)));
  return {
    pieces: [concatBytes(start, chain, crc, record), ...data, Uint8Array.of(endMark)],
    chain,
  };
}

function chainAfter(previous: Uint8Array, start: Uint8Array, record: Uint8Array): Uint8Array {
  return sha256(concatBytes(previous, start, record));
}

export interface FrameHead {
  readonly kind: FrameKind;
  readonly recordBytes: number;
  readonly dataBytes: number;
  readonly durable: number;
  /** Bytes of the whole frame. */
  readonly length: number;
}

/** What the head says that begins here, if it is as it was written. */
export function parseHead(bytes: Uint8Array): FrameHead | undefined {
  if (bytes.length < frameHeadBytes || !equalBytes(bytes.subarray(0, 3), frameMagic)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (view.getUint32(crcOffset) !== crc32(bytes.subarray(0, crcOffset))) return undefined;
  const kind = Object.values(frameKinds).find((known) => known === bytes[3]);
  const [recordBytes, data] = [view.getUint32(4), view.getUint32(8)];
  const durable = Number(view.getBigUint64(12));
  if (kind === undefined || recordBytes > frameRecordBytesMax || data > frameDataBytesMax) return undefined;
  return { kind, recordBytes, dataBytes: data, durable, length: frameOverheadBytes + recordBytes + data };
}

/** The frame's chain value if it follows that of the frame before. */
export function followingChain(
  previous: Uint8Array,
  head: Uint8Array,
  record: Uint8Array,
): Uint8Array | undefined {
  const chain = head.slice(chainedHeadBytes, chainedHeadBytes + 32);
  const expected = chainAfter(previous, head.subarray(0, chainedHeadBytes), record);
  return equalBytes(chain, expected) ? chain : undefined;
}
