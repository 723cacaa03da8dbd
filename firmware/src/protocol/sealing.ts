/**
 * AES-256-GCM under a key that seals one plaintext ever, hence a nonce of zeros; and padding that hides lengths:
 * u32 length ‖ content ‖ zeros.
 */
import { concatBytes, u32 } from '../encoding/bytes.ts';

/** Bytes that sealing adds. */
export const gcmTagBytes = 16;

const zeroNonce = new Uint8Array(12);
const nothing = new Uint8Array(0);

function importKey(key: Uint8Array, usage: 'encrypt' | 'decrypt') {
  if (key.length !== 32) throw new RangeError('an AES-256 key has 32 bytes');
  return crypto.subtle.importKey('raw', new Uint8Array(key), 'AES-GCM', false, [usage]);
}

const parameters = (aad: Uint8Array) => ({
  name: 'AES-GCM',
  iv: zeroNonce,
  additionalData: new Uint8Array(aad),
  tagLength: 8 * gcmTagBytes,
});

/** The key must never seal another plaintext: one nonce twice gives away both and the authentication key. */
export async function sealOnce(key: Uint8Array, plaintext: Uint8Array, aad = nothing): Promise<Uint8Array> {
  const aesKey = await importKey(key, 'encrypt');
  return new Uint8Array(await crypto.subtle.encrypt(parameters(aad), aesKey, new Uint8Array(plaintext)));
}

/** The plaintext, or undefined if key, ciphertext and associated data do not belong together. */
export async function openSealed(
  key: Uint8Array,
  ciphertext: Uint8Array,
  aad = nothing,
): Promise<Uint8Array | undefined> {
  if (ciphertext.length < gcmTagBytes) return undefined;
  const aesKey = await importKey(key, 'decrypt');
  const opened = await crypto.subtle
    .decrypt(parameters(aad), aesKey, new Uint8Array(ciphertext))
    .catch((cause: unknown) => {
      if (cause instanceof DOMException && cause.name === 'OperationError') return undefined;
      throw cause;
    });
  return opened === undefined ? undefined : new Uint8Array(opened);
}

/** Padded to the smallest multiple of `unit` that holds it. */
export function pad(content: Uint8Array, unit: number): Uint8Array {
  const framed = concatBytes(u32(content.length), content);
  const padded = new Uint8Array(Math.ceil(framed.length / unit) * unit);
  padded.set(framed);
  return padded;
}

/** The content, or undefined if these bytes are not its one padding. */
export function unpad(padded: Uint8Array, unit: number): Uint8Array | undefined {
  if (padded.length === 0 || padded.length % unit !== 0) return undefined;
  const length = new DataView(padded.buffer, padded.byteOffset, 4).getUint32(0);
  if (length > padded.length - 4 || padded.length - 4 - length >= unit) return undefined;
  if (padded.subarray(4 + length).some((byte) => byte !== 0)) return undefined;
  return padded.slice(4, 4 + length);
}
