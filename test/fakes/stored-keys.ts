/** What a TPM keeps for a box over its restarts, kept in a store of its own. */
import { fromHex, toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import type { KeyValueStore, Signer, StartCounter, VotingKeys } from '../../firmware/src/ports.ts';
import { signerOf } from './ledger.ts';

const keyPrefix = 'voting/';
const madeKey = 'made';
const startsKey = 'starts';

const text = new TextDecoder();
const numberOf = (value: Uint8Array | undefined): number =>
  value === undefined ? 0 : Number(text.decode(value));

/** Each key follows from its name, and the name is what is stored. */
export class StoredVotingKeys implements VotingKeys {
  readonly #store: KeyValueStore;
  readonly #self: string;
  readonly #signers = new Map<string, Signer>();
  #made: number;

  private constructor(store: KeyValueStore, self: string, made: number) {
    this.#store = store;
    this.#self = self;
    this.#made = made;
  }

  /** `first`: the key of the genesis document, held at the first start. */
  static async open(store: KeyValueStore, self: string, first: Signer): Promise<StoredVotingKeys> {
    const made = await store.get(madeKey);
    const keys = new StoredVotingKeys(store, self, numberOf(made));
    if (made === undefined) await keys.#keep(`${self} voting`, first);
    for await (const [key, name] of store.list(keyPrefix))
      keys.#signers.set(key.slice(keyPrefix.length), signerOf(text.decode(name)));
    return keys;
  }

  held(): readonly Uint8Array[] {
    return [...this.#signers.keys()].map(fromHex);
  }

  signer(publicKey: Uint8Array): Signer | undefined {
    return this.#signers.get(toHex(publicKey));
  }

  async make(): Promise<Uint8Array> {
    const name = `${this.#self} voting ${++this.#made}`;
    const signer = signerOf(name);
    await this.#keep(name, signer);
    return signer.publicKey;
  }

  async keepOnly(publicKeys: readonly Uint8Array[]): Promise<void> {
    const kept = new Set(publicKeys.map(toHex));
    const erased = [...this.#signers.keys()].filter((key) => !kept.has(key));
    await this.#store.write(erased.map((key) => ({ delete: keyPrefix + key })));
    for (const key of erased) this.#signers.delete(key);
  }

  async #keep(name: string, signer: Signer): Promise<void> {
    const key = toHex(signer.publicKey);
    await this.#store.write([
      { put: madeKey, value: utf8(String(this.#made)) },
      { put: keyPrefix + key, value: utf8(name) },
    ]);
    this.#signers.set(key, signer);
  }
}

export class StoredStartCounter implements StartCounter {
  readonly first = 0;
  readonly #store: KeyValueStore;
  #count: number;

  private constructor(store: KeyValueStore, count: number) {
    this.#store = store;
    this.#count = count;
  }

  static async open(store: KeyValueStore): Promise<StoredStartCounter> {
    return new StoredStartCounter(store, numberOf(await store.get(startsKey)));
  }

  value(): Promise<number> {
    return Promise.resolve(this.#count);
  }

  async advance(): Promise<number> {
    await this.#store.write([{ put: startsKey, value: utf8(String(this.#count + 1)) }]);
    return ++this.#count;
  }
}
