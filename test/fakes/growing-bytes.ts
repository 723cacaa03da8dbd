/** Bytes of a file in memory: copied once when they are first changed, and then changed in place. */
export class GrowingBytes {
  #bytes: Uint8Array;
  #length: number;
  #isOwn = false;

  /** The bytes given stay as they are. */
  constructor(start: Uint8Array = new Uint8Array(0)) {
    this.#bytes = start;
    this.#length = start.length;
  }

  get length(): number {
    return this.#length;
  }

  /** A view: it shows later changes, until the file outgrows its place. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  put(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    this.#own(Math.max(end, this.#length));
    this.#bytes.set(bytes, offset);
    this.#length = Math.max(end, this.#length);
  }

  /** Cut off, or longer by zeros. */
  setLength(length: number): void {
    this.#own(length);
    if (length < this.#length) this.#bytes.fill(0, length, this.#length);
    this.#length = length;
  }

  #own(capacity: number): void {
    if (this.#isOwn && capacity <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(capacity, this.#length, 2 * this.#bytes.length));
    larger.set(this.bytes);
    this.#bytes = larger;
    this.#isOwn = true;
  }
}
