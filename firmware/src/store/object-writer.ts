/**
 * Seals one object as its bytes arrive. Up to one segment is held in memory, to be written into the study's log beside
 * its record; a larger object goes to a file of its own, with at most two segments in memory.
 */
import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { AppError } from '../errors.ts';
import type { FileSystem, StoredFile } from './file-system.ts';
import { flushEveryBytes, segmentBytes } from './limits.ts';
import { SegmentSealer, type ObjectKey } from './object-seal.ts';
import { giveBack } from './spent-bytes.ts';

/** An object that is sealed: on disk in its file, or all of it in memory. */
export interface Sealed {
  readonly length: number;
  readonly lastTag: Uint8Array;
  /** Header, segment and tag, in memory of its own; undefined if it is in a file. */
  readonly pieces: readonly Uint8Array[] | undefined;
}

export class SealingWriter {
  readonly #files: FileSystem;
  readonly #key: ObjectKey;
  /** Where its file will be, if it gets one. */
  readonly #path: string;
  #pieces: Uint8Array[];
  #sealer: SegmentSealer;
  #segments = 0;
  /** Bytes in the segment. */
  #filled = 0;
  #length = 0;
  #file: ObjectFile | undefined;

  constructor(files: FileSystem, path: string, key: ObjectKey) {
    this.#files = files;
    this.#path = path;
    this.#key = key;
    this.#pieces = [key.header];
    this.#sealer = new SegmentSealer(key, 0);
  }

  /** A promise holds back the sender until the disk has taken what came before. @throws AppError STORE_FAILED. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    let pending: Promise<void> | undefined;
    for (let at = 0; at < bytes.length;) {
      // What fits into one segment needs no file: it is known only when more comes.
      if (this.#filled === segmentBytes) pending = this.#toFile();
      const piece = bytes.subarray(at, at + segmentBytes - this.#filled);
      this.#pieces.push(this.#sealer.seal(piece));
      this.#filled += piece.length;
      at += piece.length;
    }
    this.#length += bytes.length;
    return pending;
  }

  /** On disk under its final name (fsync of file and folder) if it has a file. @throws AppError STORE_FAILED. */
  async finish(): Promise<Sealed> {
    const lastTag = this.#sealer.end();
    this.#pieces.push(lastTag);
    const sealed = { length: this.#length, lastTag: new Uint8Array(lastTag) };
    const pieces = this.#pieces.splice(0);
    if (this.#file === undefined) return { ...sealed, pieces };
    try {
      await this.#file.finish(pieces);
    } catch (error) {
      await this.abort();
      throw error;
    }
    return { ...sealed, pieces: undefined };
  }

  async abort(): Promise<void> {
    this.#pieces = [];
    await this.#file?.remove();
  }

  /** The segment, which is full, goes to the disk. */
  #toFile(): Promise<void> | undefined {
    this.#pieces.push(this.#sealer.end());
    this.#file ??= new ObjectFile(this.#files, this.#path);
    const pending = this.#file.write(this.#pieces);
    this.#pieces = [];
    this.#segments += 1;
    this.#filled = 0;
    this.#sealer = new SegmentSealer(this.#key, this.#segments);
    return pending;
  }
}

/** The file of a large object, `.part` until it is complete. */
class ObjectFile {
  readonly #files: FileSystem;
  readonly #path: string;
  readonly #opened: Promise<StoredFile>;
  #written: Promise<void> = Promise.resolve();
  #flushed: Promise<void> = Promise.resolve();
  #length = 0;
  #unflushed = 0;

  constructor(files: FileSystem, path: string) {
    this.#files = files;
    this.#path = path;
    this.#opened = files.open(this.#part, 'wx+');
  }

  /** Resolves when what was written before has been taken: one piece of work is under way, another waits. */
  write(pieces: readonly Uint8Array[]): Promise<void> {
    const before = this.#written;
    this.#written = this.#write(before, pieces);
    // Told by whatever is written next, or by `finish`.
    void Promise.allSettled([this.#written]);
    return before;
  }

  async finish(pieces: readonly Uint8Array[]): Promise<void> {
    assert(this.#length > 0, 'a file is begun with a segment');
    try {
      await this.write(pieces);
      await this.#written;
      await this.#flushed;
      const file = await this.#opened;
      await file.sync();
      await file.close();
      await this.#files.rename(this.#part, this.#path);
      await this.#files.syncFolder(dirname(this.#path));
    } catch (cause) {
      throw this.#fault(cause);
    }
  }

  async remove(): Promise<void> {
    // Failures were told to whoever wrote.
    const [opened] = await Promise.allSettled([this.#opened, this.#written, this.#flushed]);
    if (opened.status === 'fulfilled') await opened.value.close();
    await this.#files.remove(this.#part);
  }

  get #part(): string {
    return `${this.#path}.part`;
  }

  async #write(before: Promise<void>, pieces: readonly Uint8Array[]): Promise<void> {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    const offset = this.#length;
    this.#length += bytes;
    try {
      await before;
      const file = await this.#opened;
      await file.write(pieces, offset);
      giveBack(pieces);
      this.#unflushed += bytes;
      if (this.#unflushed < flushEveryBytes) return;
      this.#unflushed = 0;
      await this.#flushed;
      this.#flushed = file.datasync();
      void Promise.allSettled([this.#flushed]);
    } catch (cause) {
      throw this.#fault(cause);
    }
  }

  #fault(cause: unknown): AppError {
    if (cause instanceof AppError) return cause;
    return new AppError('STORE_FAILED', `An object cannot be written to ${dirname(this.#path)}.`, { cause });
  }
}
