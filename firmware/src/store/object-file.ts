/** The file of a large object, `.part` until it is complete. */
import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { AppError } from '../errors.ts';
import type { FileSystem, StoredFile } from './file-system.ts';
import type { Leftovers } from './leftovers.ts';
import { flushEveryBytes } from './limits.ts';
import type { SealedSegment } from './segment-sealing.ts';

export class ObjectFile {
  readonly #files: FileSystem;
  readonly #leftovers: Leftovers;
  readonly #path: string;
  readonly #opened: Promise<StoredFile>;
  /** What stands before the first segment. */
  #header: Uint8Array | undefined;
  #written: Promise<void> = Promise.resolve();
  #flushed: Promise<void> = Promise.resolve();
  #length = 0;
  #unflushed = 0;
  /** It may have its final name, though nobody was told that it is complete. */
  #isAbandoned = false;

  constructor(files: FileSystem, leftovers: Leftovers, path: string, header: Uint8Array) {
    this.#files = files;
    this.#leftovers = leftovers;
    this.#path = path;
    this.#header = header;
    this.#opened = files.open(this.#part, 'wx+');
    // Told by the first write.
    void Promise.allSettled([this.#opened]);
  }

  /**
   * Takes the next segment, which may still be sealed, and releases it. Resolves when what was written before has been
   * taken: one piece of work is under way, another waits. @throws AppError STORE_FAILED.
   */
  write(segment: Promise<SealedSegment>): Promise<void> {
    const before = this.#written;
    this.#written = this.#write(before, segment);
    // Told by whatever is written next, or by `finish`.
    void Promise.allSettled([this.#written]);
    return before;
  }

  /** Takes the last segment. All is on disk when it resolves. @throws AppError STORE_FAILED. */
  async finish(last: SealedSegment): Promise<void> {
    assert(this.#header === undefined, 'a file is begun with a segment');
    try {
      await this.write(Promise.resolve(last));
      await this.#written;
      await this.#flushed;
      const file = await this.#opened;
      await file.sync();
      await file.close();
      await this.#files.rename(this.#part, this.#path);
      await this.#files.syncFolder(dirname(this.#path));
    } catch (cause) {
      this.#isAbandoned = true;
      throw this.#fault(cause);
    }
  }

  /** Removes what was written, now or as soon as the disk lets it go. One that is complete stays. */
  async remove(): Promise<void> {
    // Failures were told to whoever wrote.
    const [opened] = await Promise.allSettled([this.#opened, this.#written, this.#flushed]);
    if (opened.status === 'fulfilled') await Promise.allSettled([opened.value.close()]);
    await this.#leftovers.remove(this.#part);
    if (this.#isAbandoned) await this.#leftovers.remove(this.#path);
  }

  get #part(): string {
    return `${this.#path}.part`;
  }

  async #write(before: Promise<void>, sealing: Promise<SealedSegment>): Promise<void> {
    const header = this.#header;
    this.#header = undefined;
    let segment: SealedSegment | undefined;
    try {
      segment = await sealing;
      await before;
      await this.#put(header === undefined ? segment.pieces : [header, ...segment.pieces]);
    } catch (cause) {
      throw this.#fault(cause);
    } finally {
      segment?.release();
    }
  }

  async #put(pieces: readonly Uint8Array[]): Promise<void> {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    const file = await this.#opened;
    await file.write(pieces, this.#length);
    this.#length += bytes;
    this.#unflushed += bytes;
    if (this.#unflushed < flushEveryBytes) return;
    this.#unflushed = 0;
    await this.#flushed;
    this.#flushed = file.datasync();
    void Promise.allSettled([this.#flushed]);
  }

  #fault(cause: unknown): AppError {
    if (cause instanceof AppError) return cause;
    return new AppError('STORE_FAILED', `An object cannot be written to ${dirname(this.#path)}.`, { cause });
  }
}
