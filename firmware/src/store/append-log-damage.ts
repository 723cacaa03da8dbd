/**
 * What follows the last good frame of a log: nothing, a frame that was being written when the power went, or damage to
 * what had been acknowledged. Only the second may be cut off; the difference decides whether a box may vote on.
 *
 * An unacknowledged frame is the last one, and its writing was cut short: its end is missing, or a whole sector of it
 * (disks keep the order of sectors only across a flush). Everything else is damage: bits that differ without a gap,
 * anything in front of an intact frame, since that was written after the fsync of all before it.
 */
import { equalBytes, concatBytes } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import {
  announcedLength,
  endMark,
  frameHeadBytes,
  frameOverheadBytes,
  lengthBits,
  parseFrame,
  recordOverheadBytes,
} from './append-log-format.ts';
import { frameBytesMax } from './limits.ts';

export type Tail =
  | { readonly kind: 'clean' }
  | { readonly kind: 'torn' }
  | { readonly kind: 'damaged'; readonly reason: string };

/** The unit in which a disk writes. Larger physical sectors are multiples of it. */
const sectorBytes = 512;

/**
 * Judges the bytes from `offset` of the file on (all of them), which do not begin with a good frame.
 * `previousChain`: chain value of the last good frame.
 */
export function judgeTail(rest: Uint8Array, offset: number, previousChain: Uint8Array): Tail {
  const end = writtenEnd(rest);
  if (end === 0) return { kind: 'clean' };
  if (end > frameBytesMax + frameOverheadBytes)
    return damaged('it is followed by more than one frame can hold');
  if (parseFrame(rest) !== undefined) return damaged('its hash chain is broken');
  if (hasIntactFrame(rest.subarray(0, end))) return damaged('a later record is intact');
  if (isZero(rest.subarray(0, toNextSector(offset)))) return { kind: 'torn' };
  return judgeLast(rest, end, offset, previousChain);
}

/** A last frame whose first bytes are there. */
function judgeLast(rest: Uint8Array, end: number, offset: number, previousChain: Uint8Array): Tail {
  // The file ends, or was last written, within the length itself; or of a length in two sectors the second is missing.
  if (rest.length < 4 || end < 4) return { kind: 'torn' };
  const second = toNextSector(offset);
  if (second < 4 && isZero(rest.subarray(second, second + sectorBytes))) return { kind: 'torn' };
  const length = announcedLength(rest);
  if (length === undefined || length < recordOverheadBytes || length > frameBytesMax)
    return damaged('its length is impossible');
  const frameEnd = length + frameOverheadBytes;
  if (end > frameEnd) return damaged('it is followed by bytes that belong to no record');
  if (end === frameEnd) {
    return hasMissingSector(rest.subarray(0, frameEnd), offset)
      ? { kind: 'torn' }
      : damaged('its checksum is wrong');
  }
  // The end mark is missing. If a shorter frame fits, exactly or but for one bit of its length, only the length was
  // changed: what follows such a frame may be torn, it is not.
  const shorter = [end - frameOverheadBytes];
  for (let bit = 0; bit < lengthBits; bit++) shorter.push(length ^ (1 << bit));
  if (shorter.some((bytes) => fits(rest.subarray(0, end), bytes, previousChain)))
    return damaged('its length is wrong');
  return { kind: 'torn' };
}

/** Whether these bytes begin with a frame whose body has this length, whatever they announce. */
function fits(bytes: Uint8Array, length: number, previousChain: Uint8Array): boolean {
  if (length < recordOverheadBytes || bytes[frameHeadBytes + length] !== endMark) return false;
  const body = bytes.subarray(frameHeadBytes, frameHeadBytes + length);
  return equalBytes(bytes.subarray(8, frameHeadBytes), sha256(concatBytes(previousChain, body)));
}

function damaged(reason: string): Tail {
  return { kind: 'damaged', reason };
}

/** Just past the last byte that is not zero. */
function writtenEnd(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function toNextSector(offset: number): number {
  return sectorBytes - (offset % sectorBytes);
}

function hasMissingSector(frame: Uint8Array, offset: number): boolean {
  for (let start = toNextSector(offset); start + sectorBytes <= frame.length; start += sectorBytes) {
    if (isZero(frame.subarray(start, start + sectorBytes))) return true;
  }
  return false;
}

/** Searches at every byte: where the damaged frame ends is not known. */
function hasIntactFrame(bytes: Uint8Array): boolean {
  for (let start = 1; start + frameOverheadBytes < bytes.length; start++) {
    if (parseFrame(bytes.subarray(start)) !== undefined) return true;
  }
  return false;
}
