/**
 * Bytes of an append-only log (docs/formats.md, "Append-only log"): a header, then frames. A frame is what one fsync
 * made durable: one or more records. Integers big-endian.
 *
 *   header = "HILUMLOG" ‖ u32 version ‖ domain (32 bytes, zero-padded) ‖ 16 zero bytes ‖ u32 CRC-32 of the 60 before
 *   frame  = u32 (length mark + length of body) ‖ u32 CRC-32 ‖ chain (32) ‖ body ‖ end mark
 *   body   = u32 length ‖ hidden record, one or more times
 *   hidden = D ‖ (record XOR AES-128-CTR under the key D from zero on), D = first 16 bytes of SHA-256(record)
 *   chain  = SHA-256(chain of the frame before ‖ body); of the first: SHA-256(hash("wal", header) ‖ body)
 *
 * The CRC covers length, chain and body. The end mark is never zero, so that a frame whose end was not written shows
 * in the zeroed space around it; nor is the first byte, so that one whose beginning was not written does. Records hold
 * what others like, a block's transactions: hidden under their own digest, nobody can choose them so that a sector is
 * zero and looks as if it had not been written, nor so that they hold what looks like a frame.
 */
import { createCipheriv } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { concatBytes, equalBytes, lengthPrefixed, u32, utf8 } from '../encoding/bytes.ts';
import { hash, sha256 } from '../encoding/hash.ts';

export const headerBytes = 64;
/** Length, CRC and chain. */
export const frameHeadBytes = 40;
/** What a frame adds to its body. */
export const frameOverheadBytes = frameHeadBytes + 1;
export const endMark = 0x5a;
/** In the six upper bits of the length: none of two flipped bits makes it zero. */
const lengthMark = 0xb4000000;
export const lengthBits = 26;

const magic = utf8('HILUMLOG');
const version = 3;
const domainBytesMax = 32;

/** @throws RangeError if the domain is longer than 32 bytes. */
export function encodeHeader(domain: string): Uint8Array {
  const name = utf8(domain);
  if (name.length === 0 || name.length > domainBytesMax)
    throw new RangeError('domain of 1 to 32 bytes expected');
  const padding = new Uint8Array(domainBytesMax - name.length + 16);
  const start = concatBytes(magic, u32(version), name, padding);
  return concatBytes(start, u32(crc32(start)));
}

/** What is wrong with these bytes as the header of a log of that domain, or undefined. */
export function headerFault(bytes: Uint8Array, domain: string): string | undefined {
  if (equalBytes(bytes, encodeHeader(domain))) return undefined;
  if (bytes.length < headerBytes) return 'it is shorter than its header';
  if (!equalBytes(bytes.subarray(0, magic.length), magic)) return 'it is no log of this kind';
  const intact = equalBytes(bytes.subarray(60), u32(crc32(bytes.subarray(0, 60))));
  return intact ? 'it is a log of another version or purpose' : 'its header is damaged';
}

/** The chain value before the first frame. */
export function firstChain(domain: string): Uint8Array {
  return hash('wal', encodeHeader(domain));
}

/** Of a record's digest, before it. */
export const hiddenKeyBytes = 16;
/** What a frame adds to a record in its body. */
export const recordOverheadBytes = 4 + hiddenKeyBytes;
const firstCounter = new Uint8Array(16);

function hiddenKey(record: Uint8Array): Uint8Array {
  return sha256(record).subarray(0, hiddenKeyBytes);
}

function underKey(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return createCipheriv('aes-128-ctr', key, firstCounter).update(bytes);
}

function hide(record: Uint8Array): Uint8Array {
  const key = hiddenKey(record);
  return concatBytes(key, underKey(key, record));
}

/** The record that stands as these bytes; undefined if they are not what was written. */
export function revealRecord(hidden: Uint8Array): Uint8Array | undefined {
  const key = hidden.subarray(0, hiddenKeyBytes);
  const record = underKey(key, hidden.subarray(hiddenKeyBytes));
  return equalBytes(hiddenKey(record), key) ? record : undefined;
}

export interface EncodedFrame {
  readonly bytes: Uint8Array;
  readonly chain: Uint8Array;
  /** Place of each record from the frame's first byte. */
  readonly records: readonly RecordPlace[];
}

/** Where a hidden record stands. */
export interface RecordPlace {
  readonly offset: number;
  readonly length: number;
}

export function encodeFrame(previousChain: Uint8Array, records: readonly Uint8Array[]): EncodedFrame {
  const hidden = records.map(hide);
  const body = concatBytes(...hidden.map(lengthPrefixed));
  const chain = sha256(concatBytes(previousChain, body));
  const announced = u32(lengthMark + body.length);
  const crc = u32(frameCrc(announced, chain, body));
  const places: RecordPlace[] = [];
  let offset = frameHeadBytes;
  for (const { length } of hidden) {
    places.push({ offset: offset + 4, length });
    offset += 4 + length;
  }
  return { bytes: concatBytes(announced, crc, chain, body, Uint8Array.of(endMark)), chain, records: places };
}

function frameCrc(length: Uint8Array, chain: Uint8Array, body: Uint8Array): number {
  return crc32(body, crc32(chain, crc32(length)));
}

/** Length of the body that a frame's first four bytes announce; undefined if no frame begins like this. */
export function announcedLength(bytes: Uint8Array): number | undefined {
  const length = (uint32At(bytes, 0) ?? 0) - lengthMark;
  return length >= 0 && length < 2 ** lengthBits ? length : undefined;
}

/** Big-endian; undefined if fewer than four bytes stand there. */
function uint32At(bytes: Uint8Array, offset: number): number | undefined {
  if (bytes.length < offset + 4) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset);
}

export interface ParsedFrame {
  readonly chain: Uint8Array;
  readonly body: Uint8Array;
  readonly records: readonly RecordPlace[];
  /** Bytes of the whole frame. */
  readonly length: number;
}

/** The frame at the start of these bytes if CRC, end mark and inner lengths are right; the chain is the caller's. */
export function parseFrame(bytes: Uint8Array): ParsedFrame | undefined {
  const length = announcedLength(bytes);
  if (length === undefined || length < recordOverheadBytes || bytes.length < length + frameOverheadBytes)
    return undefined;
  if (bytes[frameHeadBytes + length] !== endMark) return undefined;
  const chain = bytes.subarray(8, frameHeadBytes);
  const body = bytes.subarray(frameHeadBytes, frameHeadBytes + length);
  if (uint32At(bytes, 4) !== frameCrc(bytes.subarray(0, 4), chain, body)) return undefined;
  const records = recordPlaces(body);
  return records === undefined ? undefined : { chain, body, records, length: length + frameOverheadBytes };
}

export function chainFollows(previousChain: Uint8Array, frame: ParsedFrame): boolean {
  return equalBytes(frame.chain, sha256(concatBytes(previousChain, frame.body)));
}

function recordPlaces(body: Uint8Array): RecordPlace[] | undefined {
  const places: RecordPlace[] = [];
  let at = 0;
  while (at < body.length) {
    const length = uint32At(body, at);
    if (length === undefined || length < hiddenKeyBytes || at + 4 + length > body.length) return undefined;
    places.push({ offset: frameHeadBytes + at + 4, length });
    at += 4 + length;
  }
  return places;
}
