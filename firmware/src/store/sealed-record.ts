/**
 * One small value encrypted by itself: manifest records and index values. Each gets a key of its own from a fresh
 * salt (HKDF, RFC 5869), so that no number of writes brings a nonce twice under one key.
 */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import { AppError } from '../errors.ts';

const saltBytes = 32;
const tagBytes = 16;
const zeroNonce = new Uint8Array(12);

/** Key objects throughout: Node takes 10 to 30 µs to see that bytes are none. */
function recordKey(key: Uint8Array, salt: Uint8Array): KeyObject {
  const derived = hkdfSync('sha256', createSecretKey(key), salt, 'hilum/sealed-record/1', 32);
  return createSecretKey(new Uint8Array(derived));
}

/** salt(32) ‖ ciphertext ‖ tag(16); the place where it stands is bound as additional data. */
export function sealRecord(key: Uint8Array, place: string, plaintext: Uint8Array): Uint8Array {
  const salt = randomBytes(saltBytes);
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
