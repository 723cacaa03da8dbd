import { toHex } from '../../src/encoding/bytes.ts';
import { AppError } from '../../src/errors.ts';
import type { HeldKeys, Signer } from '../../src/ports.ts';
import { heldKeysMax } from '../limits.ts';
import type { ObjectBlob } from '../wire/structures.ts';

/** A key that is open, with what its TPM keeps of it on disk. */
export interface OpenKey<Key extends Signer> {
  readonly signer: Key;
  readonly blob: ObjectBlob;
}

export interface HeldKeysStorage<Key extends Signer> {
  /** Makes a key and seals it to the TPM. @throws AppError of the TPM. */
  seal(): Promise<OpenKey<Key>>;
  /** Puts these in the place of those on disk. @throws AppError STORE_FAILED. */
  write(blobs: readonly ObjectBlob[]): Promise<void>;
  /** The same, and no older copy of the file is taken from then on. @throws AppError STORE_FAILED, and of the TPM. */
  writeErased(blobs: readonly ObjectBlob[]): Promise<void>;
}

/**
 * The keys of a box for one purpose. A key that was erased is gone from the keys file; on flash the disk may hold its
 * sealed form until it reuses the place, which this TPM alone could open, running approved firmware. That firmware takes
 * no older copy of the file.
 */
export class SealedKeys<Key extends Signer> implements HeldKeys<Key> {
  readonly #storage: HeldKeysStorage<Key>;
  /** By public key in hexadecimal, oldest first. */
  #keys: ReadonlyMap<string, OpenKey<Key>>;
  /** One change of these keys after the other. */
  #changes: Promise<unknown> = Promise.resolve();

  constructor(keys: readonly OpenKey<Key>[], storage: HeldKeysStorage<Key>) {
    this.#storage = storage;
    this.#keys = byPublicKey(keys);
  }

  held(): readonly Uint8Array[] {
    return [...this.#keys.values()].map(({ signer }) => signer.publicKey);
  }

  signer(publicKey: Uint8Array): Key | undefined {
    return this.#keys.get(toHex(publicKey))?.signer;
  }

  make(): Promise<Uint8Array> {
    return this.#change(async () => {
      if (this.#keys.size >= heldKeysMax) {
        throw new AppError('TPM_FAILED', `a box holds ${heldKeysMax} keys for one purpose at most`);
      }
      const made = await this.#storage.seal();
      const keys = [...this.#keys.values(), made];
      await this.#storage.write(blobsOf(keys));
      this.#keys = byPublicKey(keys);
      return made.signer.publicKey;
    });
  }

  keepOnly(publicKeys: readonly Uint8Array[]): Promise<void> {
    return this.#change(async () => {
      const names = new Set(publicKeys.map(toHex));
      const kept = [...this.#keys].filter(([name]) => names.has(name)).map(([, key]) => key);
      if (kept.length === this.#keys.size) return;
      await this.#storage.writeErased(blobsOf(kept));
      this.#keys = byPublicKey(kept);
    });
  }

  #change<Result>(run: () => Promise<Result>): Promise<Result> {
    const done = this.#changes.then(run);
    // A change that failed is its caller's to hear of; the next one begins from what is on disk.
    this.#changes = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }
}

const blobsOf = (keys: readonly OpenKey<Signer>[]): ObjectBlob[] => keys.map(({ blob }) => blob);

function byPublicKey<Key extends Signer>(keys: readonly OpenKey<Key>[]): ReadonlyMap<string, OpenKey<Key>> {
  return new Map(keys.map((key) => [toHex(key.signer.publicKey), key]));
}
