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

export class SegmentWork {
  readonly #cipher: CipherGCM;
  readonly #hmacs: readonly Hmac[];

  /** Of segment `index` of an object; a pair of key and index serves once. */
  constructor({ seal, leaves }: SegmentKeys, index: number) {
    this.#cipher = createCipheriv('aes-256-gcm', secret(seal), segmentNonce(index));
    const prefix = leafMessagePrefix(index);
    this.#hmacs = leaves.map((key) => createHmac('sha256', secret(key)).update(prefix));
  }

  /** The ciphertext of these bytes, in memory of its own. */
  seal(plaintext: Uint8Array): Uint8Array {
    for (const hmac of this.#hmacs) hmac.update(plaintext);
    return this.#cipher.update(plaintext);
  }

  /** Nothing more is sealed. */
  end(): SegmentSeal {
    this.#cipher.final(); // no bytes with GCM
    return {
      tag: this.#cipher.getAuthTag(),
      leaves: concatBytes(...this.#hmacs.map((hmac) => hmac.digest())),
    };
  }
}

/** Node takes 10 to 30 µs to see that bytes are not a key object. */
function secret(key: Uint8Array): KeyObject {
  return createSecretKey(key);
}
