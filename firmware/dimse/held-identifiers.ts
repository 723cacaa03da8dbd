/** Data sets that are gathered in memory: each bounded, and all of one server together. */
import { joinBytes } from './join-bytes.ts';
import { identifierBytesHeldMax, identifierBytesMax } from './limits.ts';
import type { DataSetFate, DataSetTarget } from './message-reader.ts';

/** What all associations of one server hold together, in bytes. */
export class HeldIdentifiers {
  #bytes = 0;

  /** False if there is no room for so much. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > identifierBytesHeldMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** One data set; holds its room until `release`. */
export class GatheredIdentifier implements DataSetTarget {
  readonly #held: HeldIdentifiers;
  readonly #whole: (bytes: Uint8Array | undefined) => Promise<void> | undefined;
  #pieces: Uint8Array[] = [];
  #length = 0;
  #decoded = 0;
  #tooLong = false;

  /**
   * @param whole gets the data set, or undefined where it is longer than there is room for and was discarded. A promise
   * holds back the peer.
   */
  constructor(held: HeldIdentifiers, whole: (bytes: Uint8Array | undefined) => Promise<void> | undefined) {
    this.#held = held;
    this.#whole = whole;
  }

  get fate(): DataSetFate {
    return this.#tooLong ? 'discarded' : 'held';
  }

  write(bytes: Uint8Array): undefined {
    if (this.#tooLong) return;
    if (this.#length + bytes.length > identifierBytesMax || !this.#held.take(bytes.length)) {
      this.#tooLong = true;
      this.release();
      return;
    }
    this.#length += bytes.length;
    this.#pieces.push(new Uint8Array(bytes));
  }

  end(): Promise<void> | undefined {
    const pieces = this.#pieces;
    this.#pieces = [];
    return this.#whole(this.#tooLong ? undefined : joinBytes(pieces));
  }

  /** Room for what it takes decoded too, as long as it is held. False if there is none. */
  takeDecoded(bytes: number): boolean {
    if (!this.#held.take(bytes)) return false;
    this.#decoded += bytes;
    return true;
  }

  /** Gives the room back. */
  release(): void {
    this.#held.give(this.#length + this.#decoded);
    this.#length = 0;
    this.#decoded = 0;
    this.#pieces = [];
  }
}
