import { AppError } from '../../firmware/src/errors.ts';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import type { HeldKeys, Signer, StartCounter } from '../../firmware/src/ports.ts';
import { signerOf } from './ledger.ts';

/** Keys of one purpose in memory. Those that it makes follow from their labels, so that tests are the same at every run. */
export class MemoryHeldKeys<Key extends Signer> implements HeldKeys<Key> {
  readonly #label: string;
  readonly #keyOf: (label: string) => Key;
  readonly #keys = new Map<string, Key>();
  #made = 0;

  constructor(label: string, keyOf: (label: string) => Key, ...keys: readonly Key[]) {
    this.#label = label;
    this.#keyOf = keyOf;
    for (const key of keys) this.#keep(key);
  }

  held(): readonly Uint8Array[] {
    return [...this.#keys.values()].map(({ publicKey }) => publicKey);
  }

  signer(publicKey: Uint8Array): Key | undefined {
    return this.#keys.get(toHex(publicKey));
  }

  make(): Promise<Uint8Array> {
    return Promise.resolve(this.#keep(this.#keyOf(`${this.#label} ${++this.#made}`)));
  }

  keepOnly(publicKeys: readonly Uint8Array[]): Promise<void> {
    const kept = new Set(publicKeys.map(toHex));
    for (const name of this.#keys.keys()) if (!kept.has(name)) this.#keys.delete(name);
    return Promise.resolve();
  }

  #keep(key: Key): Uint8Array {
    this.#keys.set(toHex(key.publicKey), key);
    return key.publicKey;
  }
}

export class MemoryVotingKeys extends MemoryHeldKeys<Signer> {
  constructor(name: string, ...signers: readonly Signer[]) {
    super(`${name} voting`, signerOf, ...signers);
  }
}

/** As a TPM begins it: somewhere. */
export class MemoryStartCounter implements StartCounter {
  readonly first = 7;
  count = this.first;
  fails = false;

  value(): Promise<number> {
    return this.fails ? Promise.reject(new AppError('TPM_ABSENT', 'no TPM')) : Promise.resolve(this.count);
  }

  advance(): Promise<number> {
    return Promise.resolve(++this.count);
  }
}
