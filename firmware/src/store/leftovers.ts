/**
 * Files that no record names, nor ever will, and that a failing disk did not let go: removed as soon as it takes
 * something again. What is left of them when the process ends is removed at the next start.
 */
import type { FileSystem } from './file-system.ts';
import { leftoversMax } from './limits.ts';

export class Leftovers {
  readonly #files: FileSystem;
  readonly #paths = new Set<string>();
  #clearing: Promise<void> | undefined;

  constructor(files: FileSystem) {
    this.#files = files;
  }

  /** Now, or else later. Whoever asks was told already that the disk fails, or needs not know. */
  async remove(path: string): Promise<void> {
    const [removed] = await Promise.allSettled([this.#files.remove(path)]);
    if (removed.status === 'rejected' && this.#paths.size < leftoversMax) this.#paths.add(path);
  }

  /** The disk took something: it may let go again. In the background. */
  clearSoon(): void {
    if (this.#paths.size > 0) void this.clear();
  }

  /** Resolves when nothing is left, or the disk still fails. */
  clear(): Promise<void> {
    this.#clearing ??= this.#clear().finally(() => {
      this.#clearing = undefined;
    });
    return this.#clearing;
  }

  async #clear(): Promise<void> {
    for (const path of this.#paths) {
      const [removed] = await Promise.allSettled([this.#files.remove(path)]);
      if (removed.status === 'rejected') return;
      this.#paths.delete(path);
    }
  }
}
