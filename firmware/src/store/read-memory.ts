/** Where what is read of one log after the other comes to stand: a start would leave gigabytes to the collector otherwise. */
import { smallFramesReadBytes } from './limits.ts';

export class ReadMemory {
  #bytes: Uint8Array | undefined;

  /** So many bytes of it, until it is asked again. They hold what they held. */
  of(length: number): Uint8Array {
    if (this.#bytes === undefined || this.#bytes.length < length)
      this.#bytes = unwritten(Math.max(length, smallFramesReadBytes));
    return this.#bytes.subarray(0, length);
  }
}

/** Without zeros, so that it takes no memory where nothing is read into it; no Buffer, whose slice() shares memory. */
function unwritten(length: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
}
