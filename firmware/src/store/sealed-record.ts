/**
 * One small value encrypted by itself: manifest records and index values. Each gets a key of its own from a fresh
 * salt (derived-key.ts), so that no number of writes brings a nonce twice under one key.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { utf8 } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import { derivedKey } from './derived-key.ts';
import { freshRandom } from './fresh-random.ts';

const saltBytes = 32;
const tagBytes = 16;
const zeroNonce = new Uint8Array(12);
const purpose = utf8('hilum/sealed-record/2');

/** A key object: Node takes 10 to 30 µs to see that bytes are none. */
function recordKey(key: Uint8Array, salt: Uint8Array): KeyObject {
  return createSecretKey(derivedKey(key, purpose, salt));
}

/** salt(32) ‖ ciphertext ‖ tag(16); the place where it stands is bound as additional data. */
export function sealRecord(key: Uint8Array, place: string, plaintext: Uint8Array): Uint8Array {
  const salt = freshRandom(saltBytes);
  const cipher = createCipheriv('aes-256-gcm', recordKey(key, salt), zeroNonce);
  cipher.setAAD(Buffer.from(place));
  return Buffer.concat([salt, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** @throws AppError STORE_CORRUPT if it was changed, moved or sealed under another key. */
export function openRecord(key: Uint8Array, place: string, sealed: Uint8Array): Uint8Array {
  try {
    const decipher = createDecipheriv(
      'aes-256-gcm',
      recordKey(key, sealed.subarray(0, saltBytes)),
      zeroNonce,
      { authTagLength: tagBytes }, // without it a shorter tag would do
    );
    decipher.setAAD(Buffer.from(place));
    decipher.setAuthTag(sealed.subarray(-tagBytes));
    return Buffer.concat([decipher.update(sealed.subarray(saltBytes, -tagBytes)), decipher.final()]);
  } catch (cause) {
    throw new AppError('STORE_CORRUPT', `The record at ${place} is damaged or belongs to another box.`, {
      cause,
    });
  }
}
