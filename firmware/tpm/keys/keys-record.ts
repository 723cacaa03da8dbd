import { authenticatedBytes, writeKeysFile, type StoredKeys, type UnauthenticatedKeys } from './keys-file.ts';

/** The MAC of this message, by the broker. */
export type Authenticate = (message: Uint8Array) => Promise<Uint8Array>;

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

  /** On disk when it resolves. @throws AppError STORE_FAILED, or of the TPM: nothing changed then. */
  change(alter: (stored: StoredKeys) => UnauthenticatedKeys, authenticate: Authenticate): Promise<void> {
    return this.#change(async (stored) => {
      const next = alter(stored);
      return { ...next, mac: await authenticate(authenticatedBytes(next)) };
    });
  }

  /** The same for what the TPM holds as well, and for nothing else. @throws AppError STORE_FAILED: nothing changed then. */
  changeApproval(alter: (stored: StoredKeys) => Pick<StoredKeys, 'approval' | 'approving'>): Promise<void> {
    return this.#change((stored) => {
      const { approval: _, approving: __, ...others } = stored;
      return Promise.resolve({ ...others, ...alter(stored) });
    });
  }

  #change(alter: (stored: StoredKeys) => Promise<StoredKeys>): Promise<void> {
    const done = this.#changes.then(async () => {
      const next = await alter(this.#stored);
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
