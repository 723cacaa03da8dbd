import { spentBytesMin } from './limits.ts';

/**
 * Gives back the memory of what was written, at once: left to the garbage collector, the ciphertext of a fast sender is
 * tens of MiB before it is collected, and costs a third more of the processor. Nobody may use these bytes any more; of
 * memory that is shared with others, nothing is given back.
 */
export function giveBack(pieces: readonly Uint8Array[]): void {
  for (const { buffer, byteLength } of pieces) {
    if (byteLength < spentBytesMin || byteLength !== buffer.byteLength || !(buffer instanceof ArrayBuffer))
      continue;
    buffer.transfer(0);
  }
}
