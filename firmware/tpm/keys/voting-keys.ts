import { toHex } from '../../src/encoding/bytes.ts';
import type { Signer, VotingKeys } from '../../src/ports.ts';
import type { ObjectBlob } from '../wire/structures.ts';

/** A voting key that is open, with what its TPM keeps of it on disk. */
export interface OpenVotingKey {
  readonly signer: Signer;
  readonly blob: ObjectBlob;
}

export interface VotingKeysStorage {
  /** Makes a key and seals it to the TPM. @throws AppError of the TPM. */
  seal(): Promise<OpenVotingKey>;
  /** Puts these in the place of those on disk. @throws AppError STORE_FAILED. */
  write(blobs: readonly ObjectBlob[]): Promise<void>;
}

/**
 * The voting keys of a box. A key that was erased is gone from the keys file; on flash the disk may hold its sealed form
 * until it reuses the place, which this TPM alone could open, running this firmware.
 */
export class SealedVotingKeys implements VotingKeys {
  readonly #storage: VotingKeysStorage;
  /** By public key in hexadecimal, oldest first. */
  #keys: ReadonlyMap<string, OpenVotingKey>;
  /** One change of the file after the other. */
  #changes: Promise<unknown> = Promise.resolve();

  constructor(keys: readonly OpenVotingKey[], storage: VotingKeysStorage) {
    this.#storage = storage;
    this.#keys = byPublicKey(keys);
  }

  held(): readonly Uint8Array[] {
    return [...this.#keys.values()].map(({ signer }) => signer.publicKey);
  }

  signer(publicKey: Uint8Array): Signer | undefined {
    return this.#keys.get(toHex(publicKey))?.signer;
  }

  make(): Promise<Uint8Array> {
    return this.#change(async () => {
      const made = await this.#storage.seal();
      await this.#keep([...this.#keys.values(), made]);
      return made.signer.publicKey;
    });
  }

  keepOnly(publicKeys: readonly Uint8Array[]): Promise<void> {
    return this.#change(async () => {
      const names = new Set(publicKeys.map(toHex));
      const kept = [...this.#keys].filter(([name]) => names.has(name)).map(([, key]) => key);
      if (kept.length < this.#keys.size) await this.#keep(kept);
    });
  }

  async #keep(keys: readonly OpenVotingKey[]): Promise<void> {
    await this.#storage.write(keys.map(({ blob }) => blob));
    this.#keys = byPublicKey(keys);
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

function byPublicKey(keys: readonly OpenVotingKey[]): ReadonlyMap<string, OpenVotingKey> {
  return new Map(keys.map((key) => [toHex(key.signer.publicKey), key]));
}
