import { concatBytes, u32 } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';

/**
 * Frames on a byte stream, here and on the TLS plane: u32 length, big-endian, then that many bytes. An empty frame is
 * allowed; what it means is its user's to say.
 */

const lengthBytes = 4;

export function encodeFrame(payload: Uint8Array): Uint8Array {
  return concatBytes(u32(payload.length), payload);
}

/** Cuts a byte stream into frames. Holds no more than what has arrived: memory follows bytes, not announced lengths. */
export class FrameDecoder {
  readonly #peer: string;
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  /** @param peer whom to name in errors. */
  constructor(peer: string) {
    this.#peer = peer;
  }

  /** Bytes that wait, belonging to frames not yet taken. */
  get bytes(): number {
    return this.#bytes;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /**
   * The next frame, if it is complete.
   * @throws AppError PEER_MISBEHAVED as soon as a length beyond the limit is announced.
   */
  next(frameBytesMax: number): Uint8Array | undefined {
    if (this.#bytes < lengthBytes) return undefined;
    const header = this.#peek(lengthBytes);
    const length = new DataView(header.buffer, header.byteOffset, lengthBytes).getUint32(0);
    if (length > frameBytesMax) {
      throw new AppError(
        'PEER_MISBEHAVED',
        `${this.#peer} announced a frame of ${length} bytes; the limit is ${frameBytesMax}`,
      );
    }
    if (this.#bytes < lengthBytes + length) return undefined;
    this.#take(lengthBytes);
    return this.#take(length);
  }

  #peek(count: number): Uint8Array {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= count) return first.subarray(0, count);
    const bytes = this.#take(count);
    this.#chunks.unshift(bytes);
    this.#bytes += count;
    return bytes;
  }

  #take(count: number): Uint8Array {
    const taken = new Uint8Array(count);
    let filled = 0;
    let used = 0;
    while (filled < count) {
      const chunk = this.#chunks[used] as Uint8Array;
      const part = chunk.subarray(0, count - filled);
      taken.set(part, filled);
      filled += part.length;
      if (part.length === chunk.length) used++;
      else this.#chunks[used] = chunk.subarray(part.length);
    }
    if (used > 0) this.#chunks.splice(0, used);
    this.#bytes -= count;
    return taken;
  }
}
