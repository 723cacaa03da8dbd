import koffi from 'koffi';

/** Malloc's own alignment, enough for every C type. */
const alignmentBytes = 16;

/**
 * One block of native memory that all calls share, one after the other. What C reads and writes lies here, since the
 * collector may move or free a Buffer under a running asynchronous call. Cleared after each call: secrets pass through.
 */
export class Arena {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #base: bigint;
  #top = 0;

  constructor(size: number) {
    this.#base = koffi.alloc('uint8_t', size) as bigint;
    this.bytes = new Uint8Array(koffi.view(this.#base, size));
    this.view = new DataView(this.bytes.buffer);
  }

  /** Zeroed space. @returns its offset. @throws RangeError if the arena is full. */
  reserve(length: number): number {
    const offset = Math.ceil(this.#top / alignmentBytes) * alignmentBytes;
    if (offset + length > this.bytes.length) throw new RangeError('the arena is full');
    this.#top = offset + length;
    return offset;
  }

  /** @returns the offset of the copy. */
  place(content: Uint8Array): number {
    const offset = this.reserve(content.length);
    this.bytes.set(content, offset);
    return offset;
  }

  pointer(offset: number): bigint {
    return this.#base + BigInt(offset);
  }

  /** The pointer or size_t that C wrote (both architectures of Hilum are little-endian with 64 bits). */
  word(offset: number): bigint {
    return this.view.getBigUint64(offset, true);
  }

  clear(): void {
    this.bytes.fill(0, 0, this.#top);
    this.#top = 0;
  }

  /** Nothing of the arena may be used afterwards. */
  free(): void {
    this.clear();
    koffi.free(this.#base);
  }
}
