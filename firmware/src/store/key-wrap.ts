/** Wrapping of data keys under the box key: AES-256-GCM, the purpose bound as additional data. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { AppError } from '../errors.ts';

const nonceBytes = 12;
const tagBytes = 16;

/** nonce(12) ‖ ciphertext ‖ tag(16). A box wraps far fewer than 2^32 keys, so random nonces are safe. */
export function wrapKey(wrappingKey: Uint8Array, key: Uint8Array, purpose: string): Uint8Array {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', wrappingKey, nonce);
  cipher.setAAD(Buffer.from(purpose));
  return Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
}

/** @throws AppError STORE_CORRUPT if it was wrapped under another key or for another purpose. */
export function unwrapKey(wrappingKey: Uint8Array, wrapped: Uint8Array, purpose: string): Uint8Array {
  try {
    const decipher = createDecipheriv('aes-256-gcm', wrappingKey, wrapped.subarray(0, nonceBytes), {
      authTagLength: tagBytes, // without it a shorter tag would do
    });
    decipher.setAAD(Buffer.from(purpose));
    decipher.setAuthTag(wrapped.subarray(-tagBytes));
    return Buffer.concat([decipher.update(wrapped.subarray(nonceBytes, -tagBytes)), decipher.final()]);
  } catch (cause) {
    throw new AppError('STORE_CORRUPT', `The key for ${purpose} does not open under this box's key.`, {
      cause,
    });
  }
}
