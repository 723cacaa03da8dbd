/** Reads what a TPM wrote, big-endian, and never past its end. */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  /** A copy of the next bytes. */
  bytes(length: number): Uint8Array {
    const from = this.#advance(length);
    return this.#bytes.slice(from, from + length);
  }

  /** A TPM2B: u16 length, then as many bytes. */
  sized(): Uint8Array {
    return this.bytes(this.u16());
  }

  /** @throws RangeError if something is left. */
  end(): void {
    if (this.remaining !== 0) throw new RangeError(`${this.remaining} bytes too many in a TPM structure`);
  }

  /** @returns the offset before the step. @throws RangeError if the structure ends earlier. */
  #advance(length: number): number {
    if (length > this.remaining) throw new RangeError('a TPM structure ends too early');
    const from = this.#offset;
    this.#offset += length;
    return from;
  }
}
