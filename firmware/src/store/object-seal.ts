/**
 * An object at rest, in a file of its own or within its study's log (docs/formats.md, "Sealed object"):
 *
 *   header    = magic(8) ‖ version(1) ‖ studyRef(16) ‖ objectRef(16) ‖ salt(32)                       73 bytes
 *   key       = HKDF-Expand-SHA-256(studyKey, header)
 *   segment i = AES-256-GCM(key, nonce = 8 zero bytes ‖ u32 i) ‖ tag(16)
 *
 * A segment is 1 MiB of plaintext, the same chunk that the commitment hashes; only the last may be shorter. Nothing is
 * ever rewritten: a key serves one object, because each has a fresh salt. That nothing is missing at the end is known
 * from the object's record, which holds its length and its last tag; so bytes are sealed as they arrive.
 */
import { createDecipheriv, createSecretKey } from 'node:crypto';
import { concatBytes, fromHex, utf8 } from '../encoding/bytes.ts';
import { derivedKey } from './derived-key.ts';
import { segmentBytes } from './limits.ts';

const magic = utf8('HILUMOBJ');
const version = 3;
export const saltBytes = 32;

export const objectHeaderBytes = 73;
export const tagBytes = 16;
export const sealedSegmentBytes = segmentBytes + tagBytes;

export interface ObjectKey {
  readonly header: Uint8Array;
  /** 32 bytes, as they are handed to a thread. */
  readonly key: Uint8Array;
}

/** What stands before the salt: it names the object. */
export function headerStart(studyRef: string, objectRef: string): Uint8Array {
  return concatBytes(magic, Uint8Array.of(version), fromHex(studyRef), fromHex(objectRef));
}

/** The key of the object that begins with this header. */
export function objectKeyOf(studyKey: Uint8Array, header: Uint8Array): ObjectKey {
  return { header, key: derivedKey(studyKey, header) };
}

/** A new object. The salt must be random. */
export function newObjectKey(
  studyKey: Uint8Array,
  studyRef: string,
  objectRef: string,
  salt: Uint8Array,
): ObjectKey {
  return objectKeyOf(studyKey, concatBytes(headerStart(studyRef, objectRef), salt));
}

/** An object of one empty segment at least. */
export function segmentCount(length: number): number {
  return Math.max(1, Math.ceil(length / segmentBytes));
}

/** Bytes of an object at rest, from its header to its last tag. */
export function sealedBytes(length: number): number {
  return objectHeaderBytes + length + segmentCount(length) * tagBytes;
}

/** Of segment `index`, under the key of its object. */
export function segmentNonce(index: number): Uint8Array {
  const bytes = new Uint8Array(12);
  new DataView(bytes.buffer).setUint32(8, index);
  return bytes;
}

/** @throws Error if the segment is not this one of this object. */
export function openSegment({ key }: ObjectKey, index: number, sealed: Uint8Array): Uint8Array {
  if (sealed.length < tagBytes) throw new RangeError('segment shorter than its tag');
  // A key object: Node takes 10 to 30 µs to see that bytes are none.
  const decipher = createDecipheriv('aes-256-gcm', createSecretKey(key), segmentNonce(index));
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  const plaintext = decipher.update(sealed.subarray(0, -tagBytes));
  decipher.final(); // throws if the tag does not fit; only then the plaintext may be used
  return plaintext;
}
