/**
 * Spare logs: files of zeros that were written while nobody sent, so that a study's log finds its space on the disk. A
 * flush into such space changes nothing but the bytes; one that makes a file grow writes the file system's journal too.
 *
 * They lie beside the studies, as `<number>.spare`, hold nothing but zeros, and serve once: none outlives the process, so
 * that no former content can be taken for a study's.
 */
import { join } from 'node:path';
import type { FileSystem, StoredFile } from './file-system.ts';

const suffix = '.spare';

export interface SpareLog {
  readonly path: string;
  readonly file: StoredFile;
  /** Zeros, on disk. */
  readonly bytes: number;
}

export class SpareLogs {
  readonly #files: FileSystem;
  readonly #folder: string;
  readonly #ready: SpareLog[] = [];
  #made = 0;
  #uses = 0;
  #onTaken: (() => void) | undefined;

  /** `folder`: where the studies lie; a spare becomes a log by its name alone. */
  constructor(files: FileSystem, folder: string) {
    this.#files = files;
    this.#folder = folder;
  }

  /** Those that can be taken now. */
  get count(): number {
    return this.#ready.length;
  }

  /** Grows with whatever is written to studies: while it stands still, the disk has time for spares. */
  get uses(): number {
    return this.#uses;
  }

  noticeUse(): void {
    this.#uses += 1;
  }

  /** Whoever makes new ones is told when one was taken. */
  onTaken(listener: () => void): void {
    this.#onTaken = listener;
  }

  /** From then on it is the caller's: file, name and all. Undefined if there is none. */
  take(): SpareLog | undefined {
    const spare = this.#ready.shift();
    if (spare !== undefined) this.#onTaken?.();
    return spare;
  }

  /** An empty file of its own name, to be filled with zeros. */
  async begin(): Promise<Pick<SpareLog, 'path' | 'file'>> {
    const path = join(this.#folder, `${this.#made++}${suffix}`);
    return { path, file: await this.#files.open(path, 'wx+') };
  }

  /** One whose zeros are on disk. */
  put(spare: SpareLog): void {
    this.#ready.push(spare);
  }

  /** Gives the space of a spare back that was not taken. */
  async discard({ path, file }: Pick<SpareLog, 'path' | 'file'>): Promise<void> {
    await file.close();
    await this.#files.remove(path);
  }

  /** The same with all that can be taken. */
  async discardAll(): Promise<void> {
    for (const spare of this.#ready.splice(0)) await this.discard(spare);
  }
}

/** At a start: whether this is the name of a spare that an earlier process left. */
export function isSpare(name: string): boolean {
  return name.endsWith(suffix);
}
