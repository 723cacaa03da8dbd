/**
 * All that the store asks of the disk. What stands between "written" and "survives power loss" is decided by these calls
 * and their order, so a test can record them and look at what every possible power cut leaves behind.
 *
 * Two things go past it: LevelDB (classic-level), which holds what can be rebuilt or is small, and the lock of the data
 * folder, which means nothing after a power cut.
 */
import { constants, writevSync } from 'node:fs';
import { access, link, mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { writtenAtOnceBytesMax } from './limits.ts';

/** As in fopen(3): must exist to be read, must exist to be changed, is made or emptied, must not exist. */
export type OpenFlags = 'r' | 'r+' | 'w+' | 'wx+';

export interface StoredFile {
  /** Fills the bytes from this place of the file on; fewer only at the file's end. Resolves with their number. */
  read(bytes: Uint8Array, offset: number): Promise<number>;
  /**
   * Puts these pieces one after the other at this place. Resolves when all are written, which is not yet on disk; their
   * memory may then be gone.
   */
  write(pieces: readonly Uint8Array[], offset: number): Promise<void>;
  /**
   * As `write`, and when it resolves these pieces are on disk with what is needed to read them back, though nothing else
   * that was written before: one request to the disk where write and datasync are two.
   */
  writeThrough(pieces: readonly Uint8Array[], offset: number): Promise<void>;
  /** All that was written before is on disk, with what is needed to read it back (fdatasync(2)). */
  datasync(): Promise<void>;
  /** As `datasync`, with all that the file system knows of the file (fsync(2)). */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  /** Bytes. */
  size(): Promise<number>;
  /** Closing twice is allowed. */
  close(): Promise<void>;
}

/** Errors are those of node:fs, with their `code`. Names are on disk only after `syncFolder`. */
export interface FileSystem {
  /** A file that is made can be read and written by this user alone. */
  open(path: string, flags: OpenFlags): Promise<StoredFile>;
  rename(from: string, to: string): Promise<void>;
  /** Gives a file a second name. */
  link(path: string, second: string): Promise<void>;
  /** A file or a folder with all that is in it. What is not there is no error. */
  remove(path: string): Promise<void>;
  /** With those above it. One that is there is no error. */
  makeFolder(path: string): Promise<void>;
  /** Names in a folder, in no order. */
  list(folder: string): Promise<string[]>;
  exists(path: string): Promise<boolean>;
  /** Whether two names are of one file. */
  isSameFile(one: string, other: string): Promise<boolean>;
  /** All names that were made, changed or removed in this folder are so on disk. */
  syncFolder(folder: string): Promise<void>;
}

class NodeFile implements StoredFile {
  readonly #handle: FileHandle;
  /** The same file, opened with O_DSYNC; made when it is first asked for. */
  #through: Promise<FileHandle> | undefined;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(bytes: Uint8Array, offset: number): Promise<number> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await this.#handle.read(bytes, done, bytes.length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async write(pieces: readonly Uint8Array[], offset: number): Promise<void> {
    let at = offset;
    let rest: readonly Uint8Array[] = pieces.filter(({ length }) => length > 0);
    // Into the page cache at once: to have a little written by another thread takes longer than to write it.
    const isLittle = rest.reduce((sum, { length }) => sum + length, 0) <= writtenAtOnceBytesMax;
    while (rest.length > 0) {
      const bytesWritten = isLittle
        ? writevSync(this.#handle.fd, rest, at)
        : (await this.#handle.writev(rest, at)).bytesWritten;
      at += bytesWritten;
      rest = after(rest, bytesWritten);
    }
  }

  async writeThrough(pieces: readonly Uint8Array[], offset: number): Promise<void> {
    const handle = await this.#openedThrough();
    let at = offset;
    let rest = pieces;
    while (rest.length > 0) {
      const { bytesWritten } = await handle.writev(rest, at);
      at += bytesWritten;
      rest = after(rest, bytesWritten);
    }
  }

  async #openedThrough(): Promise<FileHandle> {
    // By its number, since a file may have got another name since it was opened.
    this.#through ??= open(`/proc/self/fd/${this.#handle.fd}`, constants.O_WRONLY | constants.O_DSYNC);
    try {
      return await this.#through;
    } catch (error) {
      // A disk that is read-only just now need not stay so.
      this.#through = undefined;
      throw error;
    }
  }

  datasync(): Promise<void> {
    return this.#handle.datasync();
  }

  sync(): Promise<void> {
    return this.#handle.sync();
  }

  truncate(length: number): Promise<void> {
    return this.#handle.truncate(length);
  }

  async size(): Promise<number> {
    const { size } = await this.#handle.stat();
    return size;
  }

  async close(): Promise<void> {
    const through = this.#through;
    this.#through = undefined;
    // What the disk says to one is told; the other is closed all the same.
    const closed = await Promise.allSettled([
      this.#handle.close(),
      through?.then((handle) => handle.close()),
    ]);
    for (const one of closed) if (one.status === 'rejected') throw one.reason;
  }
}

/** What is left of these pieces after so many bytes: a disk may take a part. */
function after(pieces: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let left = bytes;
  return pieces.flatMap((piece) => {
    const taken = Math.min(left, piece.length);
    left -= taken;
    return taken === piece.length ? [] : [piece.subarray(taken)];
  });
}

export const nodeFileSystem: FileSystem = {
  open: async (path, flags) => new NodeFile(await open(path, flags, 0o600)),
  rename,
  link,
  remove: (path) => rm(path, { recursive: true, force: true }),
  makeFolder: async (path) => void (await mkdir(path, { recursive: true, mode: 0o700 })),
  list: (folder) => readdir(folder),
  exists: async (path) => {
    try {
      await access(path);
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
      throw error;
    }
  },
  isSameFile: async (one, other) => (await stat(one)).ino === (await stat(other)).ino,
  syncFolder: async (folder) => {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};
