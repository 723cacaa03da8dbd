/**
 * What is done with the bytes of one segment, on the event loop or in a thread: its ciphertext, its tag, and its leaf of
 * the commitment (PROTOCOL.md) under each key that somebody asked for. A segment is the chunk that a leaf stands for.
 */
import {
  createCipheriv,
  createHmac,
  createSecretKey,
  type CipherGCM,
  type Hmac,
  type KeyObject,
} from 'node:crypto';
import { concatBytes } from '../encoding/bytes.ts';
import { leafMessagePrefix } from '../protocol/commitments.ts';
import { segmentNonce } from './object-seal.ts';

/** HMAC-SHA-256. */
export const leafBytes = 32;

/** The keys of one object, 32 bytes each: they are handed to threads as they are. */
export interface SegmentKeys {
  readonly seal: Uint8Array;
  /** Any number, each of which costs a pass over the bytes. */
  readonly leaves: readonly Uint8Array[];
}

export interface SegmentSeal {
  /** 16 bytes, which stand behind the ciphertext. */
  readonly tag: Uint8Array;
  /** 32 bytes for each key, in the order of the keys, joined. */
  readonly leaves: Uint8Array;
}

/** Ciphertext and tag alone. */
export class SegmentCipher {
  readonly #cipher: CipherGCM;

  /** Of segment `index` of an object; a pair of key and index serves once. */
  constructor(key: Uint8Array, index: number) {
    this.#cipher = createCipheriv('aes-256-gcm', secret(key), segmentNonce(index));
  }

  /** The ciphertext of these bytes, in memory of its own. */
  seal(plaintext: Uint8Array): Uint8Array {
    return this.#cipher.update(plaintext);
  }

  /** The tag. Nothing more is sealed. */
  end(): Uint8Array {
    this.#cipher.final(); // no bytes with GCM
    return this.#cipher.getAuthTag();
  }
}

/** Leaves alone. */
export class SegmentLeaves {
  readonly #hmacs: readonly Hmac[];

  /** Of chunk `index`, under each of the keys. */
  constructor(keys: readonly Uint8Array[], index: number) {
    const prefix = leafMessagePrefix(index);
    this.#hmacs = keys.map((key) => createHmac('sha256', secret(key)).update(prefix));
  }

  add(plaintext: Uint8Array): void {
    for (const hmac of this.#hmacs) hmac.update(plaintext);
  }

  /** In the order of the keys, joined. Nothing more is added. */
  end(): Uint8Array {
    return concatBytes(...this.#hmacs.map((hmac) => hmac.digest()));
  }
}

/** Both. */
export class SegmentWork {
  readonly #cipher: SegmentCipher;
  readonly #leaves: SegmentLeaves;

  constructor({ seal, leaves }: SegmentKeys, index: number) {
    this.#cipher = new SegmentCipher(seal, index);
    this.#leaves = new SegmentLeaves(leaves, index);
  }

  /** The ciphertext of these bytes, in memory of its own. */
  seal(plaintext: Uint8Array): Uint8Array {
    this.#leaves.add(plaintext);
    return this.#cipher.seal(plaintext);
  }

  /** Nothing more is sealed. */
  end(): SegmentSeal {
    return { tag: this.#cipher.end(), leaves: this.#leaves.end() };
  }
}

/** Node takes 10 to 30 µs to see that bytes are not a key object. */
function secret(key: Uint8Array): KeyObject {
  return createSecretKey(key);
}
