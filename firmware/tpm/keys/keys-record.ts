import { writeKeysFile, type StoredKeys } from './keys-file.ts';

/** The keys file as it is on disk: several parts change it, one change after the other, each of the whole file. */
export class KeysRecord {
  readonly file: string;
  #stored: StoredKeys;
  #changes: Promise<unknown> = Promise.resolve();

  /** @param stored what the file holds. */
  constructor(file: string, stored: StoredKeys) {
    this.file = file;
    this.#stored = stored;
  }

  get stored(): StoredKeys {
    return this.#stored;
  }

  /** On disk when it resolves. @throws AppError STORE_FAILED: nothing changed then. */
  change(alter: (stored: StoredKeys) => StoredKeys): Promise<void> {
    const done = this.#changes.then(async () => {
      const next = alter(this.#stored);
      await writeKeysFile(this.file, next);
      this.#stored = next;
    });
    // A change that failed is its caller's to hear of; the next one begins from what is on disk.
    this.#changes = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }
}
