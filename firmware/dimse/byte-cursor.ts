/** Reading of big-endian fields from a bounded byte string. Every read is checked against the end. */

/** The bytes do not hold what they claim. Caught where the cursor was made; never leaves this room. */
export class MalformedBytes extends Error {
  override readonly name = 'MalformedBytes';
}

export class ByteCursor {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  /** The next bytes, not copied. @throws MalformedBytes if there are fewer. */
  take(length: number): Uint8Array {
    if (length > this.remaining) throw new MalformedBytes(`${length} bytes expected, ${this.remaining} left`);
    const start = this.#offset;
    this.#offset += length;
    return this.#bytes.subarray(start, this.#offset);
  }

  rest(): Uint8Array {
    return this.take(this.remaining);
  }

  u8(): number {
    return this.take(1)[0] as number;
  }

  u16(): number {
    const bytes = this.take(2);
    return ((bytes[0] as number) << 8) | (bytes[1] as number);
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  /** A field that is preceded by its length (u16). */
  sized(): Uint8Array {
    return this.take(this.u16());
  }
}
