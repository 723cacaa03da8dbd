/**
 * Object file at rest: AES-GCM-HKDF streaming as in Tink (docs/formats.md, "Object file").
 *
 *   header    = magic(8) ‖ version(1) ‖ studyRef(16) ‖ objectRef(16) ‖ salt(32) ‖ noncePrefix(7)      80 bytes
 *   key       = HKDF-SHA-256(studyKey, salt, header)
 *   segment i = AES-256-GCM(key, noncePrefix ‖ u32 i ‖ u8 last, aad = H("object", header)) ‖ tag(16)
 *
 * A segment is 1 MiB of plaintext, the same chunk that the commitment hashes; only the last may be shorter. Nothing is
 * ever rewritten: a (key, nonce) pair is used once, because each file has a fresh salt.
 */
import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { concatBytes, equalBytes, fromHex, toHex, u32, utf8 } from '../encoding/bytes.ts';
import { hash } from '../encoding/hash.ts';
import { AppError } from '../errors.ts';
import type { ObjectReader, ObjectWriter, StoredObject } from '../ports.ts';
import type { FileSystem, StoredFile } from './file-system.ts';
import { segmentBytes } from './limits.ts';
import { giveBackSegmentBuffer, takeSegmentBuffer } from './segment-buffers.ts';

const magic = utf8('HILUMOBJ');
const version = 1;
const headerBytes = 80;
const saltOffset = 41;
const saltBytes = 32;
const noncePrefixBytes = 7;
const tagBytes = 16;
const sealedSegmentBytes = segmentBytes + tagBytes;

export interface FileKey {
  readonly header: Uint8Array;
  readonly key: Uint8Array;
  readonly aad: Uint8Array;
}

function fileKey(studyKey: Uint8Array, header: Uint8Array): FileKey {
  const salt = header.subarray(saltOffset, saltOffset + saltBytes);
  return {
    header,
    key: new Uint8Array(hkdfSync('sha256', studyKey, salt, header, 32)),
    aad: hash('object', header),
  };
}

/** A new header. Salt and nonce prefix are random; they are parameters for golden vectors only. */
export function newFileKey(
  studyKey: Uint8Array,
  studyRef: string,
  objectRef: string,
  salt: Uint8Array = randomBytes(saltBytes),
  noncePrefix: Uint8Array = randomBytes(noncePrefixBytes),
): FileKey {
  return fileKey(
    studyKey,
    concatBytes(magic, Uint8Array.of(version), fromHex(studyRef), fromHex(objectRef), salt, noncePrefix),
  );
}

function nonce(file: FileKey, index: number, last: boolean): Uint8Array {
  return concatBytes(file.header.subarray(-noncePrefixBytes), u32(index), Uint8Array.of(last ? 1 : 0));
}

/** Ciphertext and tag, apart: joining them would copy a mebibyte for nothing. */
export function sealSegment(
  file: FileKey,
  index: number,
  last: boolean,
  plaintext: Uint8Array,
): readonly [ciphertext: Buffer, tag: Buffer] {
  const cipher = createCipheriv('aes-256-gcm', file.key, nonce(file, index, last));
  cipher.setAAD(file.aad);
  const ciphertext = cipher.update(plaintext);
  cipher.final(); // no bytes with GCM
  return [ciphertext, cipher.getAuthTag()];
}

/** @throws Error if the segment is not this one of this file. */
export function openSegment(file: FileKey, index: number, last: boolean, sealed: Uint8Array): Buffer {
  if (sealed.length < tagBytes) throw new RangeError('segment shorter than its tag');
  const decipher = createDecipheriv('aes-256-gcm', file.key, nonce(file, index, last));
  decipher.setAAD(file.aad);
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  const plaintext = decipher.update(sealed.subarray(0, -tagBytes));
  decipher.final(); // throws if the tag does not fit; only then the plaintext may be used
  return plaintext;
}

/** Writes one object: at most one segment in memory, and one being written. */
export class ObjectFileWriter implements ObjectWriter {
  readonly #file: FileKey;
  readonly #files: FileSystem;
  readonly #stored: StoredFile;
  readonly #partPath: string;
  readonly #path: string;
  readonly #ref: string;
  readonly #onSegment: (index: number, segment: Uint8Array) => void;
  #buffer: Buffer | undefined = takeSegmentBuffer();
  #bufferUsed = 0;
  #filled = 0;
  #index = 0;
  #length = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor(
    files: FileSystem,
    file: FileKey,
    stored: StoredFile,
    folder: string,
    ref: string,
    onSegment: (index: number, segment: Uint8Array) => void,
  ) {
    this.#files = files;
    this.#file = file;
    this.#stored = stored;
    this.#ref = ref;
    this.#path = join(folder, ref);
    this.#partPath = `${this.#path}.part`;
    this.#onSegment = onSegment;
  }

  static async create(
    files: FileSystem,
    folder: string,
    studyKey: Uint8Array,
    studyRef: string,
    onSegment: (index: number, segment: Uint8Array) => void,
  ): Promise<ObjectFileWriter> {
    const ref = toHex(randomBytes(16));
    let writer: ObjectFileWriter | undefined;
    try {
      const stored = await files.open(join(folder, `${ref}.part`), 'wx+');
      const file = newFileKey(studyKey, studyRef, ref);
      writer = new ObjectFileWriter(files, file, stored, folder, ref, onSegment);
      await stored.write([file.header], 0);
      return writer;
    } catch (cause) {
      // A full disk has room for a name still: senders that try all night must not use up the box's open files.
      await writer?.abort();
      throw new AppError('STORE_FAILED', `An object file cannot be created in ${folder}.`, { cause });
    }
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    assert(this.#buffer !== undefined, 'an object that is finished takes no more');
    let offset = 0;
    let pending: Promise<void> | undefined;
    while (offset < bytes.length) {
      // A full buffer is sealed only when more comes: the last segment carries its own mark.
      if (this.#filled === segmentBytes) pending = this.#seal(this.#buffer, false).written;
      const taken = Math.min(segmentBytes - this.#filled, bytes.length - offset);
      this.#buffer.set(bytes.subarray(offset, offset + taken), this.#filled);
      this.#filled += taken;
      this.#bufferUsed = Math.max(this.#bufferUsed, this.#filled);
      offset += taken;
    }
    this.#length += bytes.length;
    return pending;
  }

  async finish(): Promise<StoredObject> {
    assert(this.#buffer !== undefined, 'an object is finished once');
    try {
      const { tag, written } = this.#seal(this.#buffer, true);
      this.#giveBackBuffer();
      await written;
      await this.#stored.sync();
      await this.#stored.close();
      await this.#files.rename(this.#partPath, this.#path);
      await this.#files.syncFolder(dirname(this.#path));
      return { ref: this.#ref, length: this.#length, lastTag: tag };
    } catch (cause) {
      await this.abort();
      throw new AppError('STORE_FAILED', `An object cannot be written to ${dirname(this.#path)}.`, { cause });
    }
  }

  async abort(): Promise<void> {
    this.#giveBackBuffer();
    await Promise.allSettled([this.#writing]); // a failure was already told to whoever wrote
    await this.#stored.close(); // closing twice is allowed
    await this.#files.remove(this.#partPath);
  }

  async discard(): Promise<void> {
    await this.#files.remove(this.#path);
  }

  #giveBackBuffer(): void {
    if (this.#buffer === undefined) return;
    giveBackSegmentBuffer(this.#buffer, this.#bufferUsed);
    this.#buffer = undefined;
  }

  /** Seals what is in the buffer, which is free again when this returns, and writes it after what came before. */
  #seal(buffer: Buffer, last: boolean): { readonly tag: Uint8Array; readonly written: Promise<void> } {
    const segment = buffer.subarray(0, this.#filled);
    this.#onSegment(this.#index, segment);
    const [ciphertext, tag] = sealSegment(this.#file, this.#index, last, segment);
    const offset = headerBytes + this.#index * sealedSegmentBytes;
    this.#index += 1;
    this.#filled = 0;
    this.#writing = this.#writing.then(async () => {
      try {
        await this.#stored.write([ciphertext, tag], offset);
      } catch (cause) {
        throw new AppError('STORE_FAILED', `An object cannot be written to ${dirname(this.#path)}.`, {
          cause,
        });
      }
    });
    return { tag: new Uint8Array(tag), written: this.#writing };
  }
}

export class ObjectFileReader implements ObjectReader {
  readonly #file: FileKey;
  readonly #stored: StoredFile;
  readonly #path: string;
  readonly #object: StoredObject;
  /** For what is read, one segment after the other; the plaintext gets memory of its own. */
  #sealed: Buffer | undefined;
  readonly segmentCount: number;

  private constructor(file: FileKey, stored: StoredFile, path: string, object: StoredObject) {
    this.#file = file;
    this.#stored = stored;
    this.#path = path;
    this.#object = object;
    this.segmentCount = Math.max(1, Math.ceil(object.length / segmentBytes));
  }

  /** @throws AppError STORE_CORRUPT if the file is missing, foreign or of another length. */
  static async open(
    files: FileSystem,
    folder: string,
    studyKey: Uint8Array,
    studyRef: string,
    object: StoredObject,
  ): Promise<ObjectFileReader> {
    const path = join(folder, object.ref);
    let stored: StoredFile | undefined;
    try {
      stored = await files.open(path, 'r');
      const header = Buffer.alloc(headerBytes);
      await stored.read(header, 0);
      const expected = concatBytes(magic, Uint8Array.of(version), fromHex(studyRef), fromHex(object.ref));
      if (!equalBytes(header.subarray(0, saltOffset), expected)) throw new RangeError('foreign header');
      const reader = new ObjectFileReader(fileKey(studyKey, header), stored, path, object);
      if ((await stored.size()) !== headerBytes + object.length + reader.segmentCount * tagBytes)
        throw new RangeError('other length');
      return reader;
    } catch (cause) {
      await stored?.close();
      throw new AppError('STORE_CORRUPT', `The object file ${path} is missing or damaged.`, { cause });
    }
  }

  /** One at a time. */
  async segment(index: number): Promise<Uint8Array> {
    const last = index === this.segmentCount - 1;
    const plainLength = last ? this.#object.length - index * segmentBytes : segmentBytes;
    this.#sealed ??= Buffer.allocUnsafe(Math.min(this.#object.length, segmentBytes) + tagBytes);
    const sealed = this.#sealed.subarray(0, plainLength + tagBytes);
    try {
      const bytesRead = await this.#stored.read(sealed, headerBytes + index * sealedSegmentBytes);
      if (bytesRead !== sealed.length) throw new RangeError('truncated');
      if (last && !equalBytes(sealed.subarray(-tagBytes), this.#object.lastTag))
        throw new RangeError('other last tag');
      return openSegment(this.#file, index, last, sealed);
    } catch (cause) {
      throw new AppError('STORE_CORRUPT', `Segment ${index} of ${this.#path} is damaged.`, { cause });
    }
  }

  async close(): Promise<void> {
    await this.#stored.close();
  }
}
