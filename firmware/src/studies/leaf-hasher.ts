import { createHmac, createSecretKey, type Hmac, type KeyObject } from 'node:crypto';
import { concatBytes } from '../encoding/bytes.ts';
import { leafMessagePrefix } from '../protocol/commitments.ts';
import { chunkBytes } from '../protocol/limits.ts';

/** Leaves of the commitment to one instance under a key x_j, computed as its bytes pass (PROTOCOL.md). */
export class LeafHasher {
  readonly key: Uint8Array;
  /** Node takes some 30 µs to see that bytes are not a key object. */
  readonly #secret: KeyObject;
  readonly #leaves: Uint8Array[] = [];
  #hmac: Hmac;
  /** Bytes of the chunk so far. */
  #filled = 0;

  constructor(key: Uint8Array) {
    this.key = key;
    this.#secret = createSecretKey(key);
    this.#hmac = this.#begin();
  }

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#filled === chunkBytes) this.#next();
      const piece = bytes.subarray(at, at + chunkBytes - this.#filled);
      this.#hmac.update(piece);
      this.#filled += piece.length;
      at += piece.length;
    }
  }

  /** All leaves, 32 bytes each, joined. Called once. */
  end(): Uint8Array {
    return concatBytes(...this.#leaves, this.#hmac.digest());
  }

  #next(): void {
    this.#leaves.push(this.#hmac.digest());
    this.#hmac = this.#begin();
    this.#filled = 0;
  }

  #begin(): Hmac {
    return createHmac('sha256', this.#secret).update(leafMessagePrefix(this.#leaves.length));
  }
}
