/**
 * What follows the last good frame of a study's log: nothing, frames that were being written when the power went, or
 * damage to what had been acknowledged. Only the second may be cut off.
 *
 * Disks keep the order of sectors only across a flush, so of the group of frames that was being flushed any sectors may
 * be there and others missing. What had been flushed before is told by the frames behind it (`durable`); for the last
 * group, behind which there is none, it is told by what is missing of the frame: its end, or a sector, which is still
 * zero as no sector of a whole frame is.
 */
import { frameHeadBytes, frameMagic, frameOverheadBytes, parseHead } from './study-log-format.ts';
import { frameDataBytesMax, frameRecordBytesMax, groupBytesMax } from './limits.ts';

export type LogTail =
  | { readonly kind: 'clean' }
  | { readonly kind: 'torn' }
  | { readonly kind: 'damaged'; readonly reason: string };

/** The unit in which a disk writes. Larger physical sectors are multiples of it. */
const sectorBytes = 512;

/** A group is closed by the frame with which it passes its bound. */
export const tailBytesMax = groupBytesMax + frameOverheadBytes + frameRecordBytesMax + frameDataBytesMax;

/** Judges the bytes from `offset` of the file on, at which no whole frame of the log begins: all that are not zero. */
export function judgeTail(rest: Uint8Array, offset: number): LogTail {
  const end = writtenEnd(rest);
  if (end === 0) return { kind: 'clean' };
  if (end > tailBytesMax) return damaged('it is followed by more than was written at once');
  if (wasFlushed(rest.subarray(0, end), offset))
    return damaged('a later frame says that it had been on disk');
  const length = parseHead(rest)?.length ?? frameHeadBytes;
  if (end < length || lacksSector(rest, offset, length)) return { kind: 'torn' };
  return damaged('it was changed, and nothing of it is missing');
}

function damaged(reason: string): LogTail {
  return { kind: 'damaged', reason };
}

/** Just past the last byte that is not zero. */
function writtenEnd(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}

/** Searches at every byte: where the damaged frame ends is not known. */
function wasFlushed(rest: Uint8Array, offset: number): boolean {
  const bytes = Buffer.from(rest.buffer, rest.byteOffset, rest.length);
  for (let at = bytes.indexOf(frameMagic); at !== -1; at = bytes.indexOf(frameMagic, at + 1)) {
    const head = parseHead(bytes.subarray(at));
    if (head !== undefined && head.durable > offset) return true;
  }
  return false;
}

/** Whether a sector's part of the frame of this length that begins here is zero, or beyond the end of the file. */
function lacksSector(rest: Uint8Array, offset: number, length: number): boolean {
  for (let start = 0; start < length;) {
    const next = Math.min(length, start + sectorBytes - ((offset + start) % sectorBytes));
    if (rest.subarray(start, next).every((byte) => byte === 0)) return true;
    start = next;
  }
  return false;
}
