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
  parseFrame,
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
  const length = announcedLength(rest);
  // The file ends, or was last written, within the length itself.
  if (length === undefined || end < 4) return { kind: 'torn' };
  if (length < 4 || length > frameBytesMax) return damaged('its length is impossible');
  const frameEnd = length + frameOverheadBytes;
  if (end > frameEnd) return damaged('it is followed by bytes that belong to no record');
  if (end === frameEnd) {
    return hasMissingSector(rest.subarray(0, frameEnd), offset)
      ? { kind: 'torn' }
      : damaged('its checksum is wrong');
  }
  // The end mark is missing. If a shorter frame fits exactly, only the length was changed, and nothing is torn.
  const body = rest.subarray(frameHeadBytes, Math.max(frameHeadBytes, end - 1));
  const chain = rest.subarray(8, frameHeadBytes);
  if (rest[end - 1] === endMark && equalBytes(chain, sha256(concatBytes(previousChain, body)))) {
    return damaged('its length is wrong');
  }
  return { kind: 'torn' };
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
