import { segmentBuffersIdleMax, segmentBytes } from './limits.ts';

/**
 * Buffers of one segment, used again: a fresh mebibyte for each object makes V8 collect all of its heap every few
 * objects, which cost more than hashing and encrypting together (docs/performance.md).
 */
const idle: Buffer[] = [];

export function takeSegmentBuffer(): Buffer {
  return idle.pop() ?? Buffer.allocUnsafeSlow(segmentBytes);
}

/** The caller keeps no view of it. What it held is wiped: it was a patient's. */
export function giveBackSegmentBuffer(buffer: Buffer, used: number): void {
  buffer.fill(0, 0, used);
  if (idle.length < segmentBuffersIdleMax) idle.push(buffer);
}
