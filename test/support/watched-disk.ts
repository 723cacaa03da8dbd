/** The disk with somebody looking on: each write and flush can be noted, or made to fail as a full or broken disk does. */
import { nodeFileSystem, type FileSystem, type StoredFile } from '../../firmware/src/store/file-system.ts';

export interface DiskCall {
  readonly call: 'write' | 'datasync' | 'sync' | 'syncFolder';
  /** File or folder. */
  readonly path: string;
}

/** Called before each write and flush; what it throws fails the call, a write after half of its bytes. */
export type Watch = (call: DiskCall) => void;

export function watchedDisk(watch: Watch, disk: FileSystem = nodeFileSystem): FileSystem {
  return {
    ...disk,
    open: async (path, flags) => new WatchedFile(await disk.open(path, flags), path, watch),
    syncFolder: async (path) => {
      watch({ call: 'syncFolder', path });
      await disk.syncFolder(path);
    },
  };
}

class WatchedFile implements StoredFile {
  readonly #file: StoredFile;
  readonly #path: string;
  readonly #watch: Watch;

  constructor(file: StoredFile, path: string, watch: Watch) {
    this.#file = file;
    this.#path = path;
    this.#watch = watch;
  }

  read(bytes: Uint8Array, offset: number): Promise<number> {
    return this.#file.read(bytes, offset);
  }

  async write(pieces: readonly Uint8Array[], offset: number): Promise<void> {
    try {
      this.#watch({ call: 'write', path: this.#path });
    } catch (error) {
      // A full disk takes a part of what is written.
      const whole = Buffer.concat(pieces);
      await this.#file.write([whole.subarray(0, whole.length >> 1)], offset);
      throw error;
    }
    await this.#file.write(pieces, offset);
  }

  /** A write and a flush, each of which can fail. */
  async writeThrough(pieces: readonly Uint8Array[], offset: number): Promise<void> {
    await this.write(pieces, offset);
    await this.datasync();
  }

  async datasync(): Promise<void> {
    this.#watch({ call: 'datasync', path: this.#path });
    await this.#file.datasync();
  }

  async sync(): Promise<void> {
    this.#watch({ call: 'sync', path: this.#path });
    await this.#file.sync();
  }

  truncate(length: number): Promise<void> {
    return this.#file.truncate(length);
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Fails the call of this number (from 0) with this code, and counts. */
export function failingAt(
  number: number,
  code = 'ENOSPC',
): { readonly watch: Watch; readonly calls: () => number } {
  let calls = 0;
  return {
    watch: () => {
      if (calls++ === number) throw Object.assign(new Error('the disk fails'), { code });
    },
    calls: () => calls,
  };
}
