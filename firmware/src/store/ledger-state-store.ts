/** The ledger's state on Level: rebuildable from the block log, saved with its height in one synced batch. */
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import type { StateChange } from '../ledger/types.ts';
import type { KeyValueChange, KeyValueStore } from '../ports.ts';

const headKey = 'head';
const statePrefix = 'state/';

type Entry = readonly [key: string, value: Uint8Array];

export interface SavedLedgerState {
  readonly height: number;
  /** Digest of the block after which it stands. */
  readonly digest: Uint8Array;
  readonly entries: readonly Entry[];
}

function head(height: number, digest: Uint8Array): KeyValueChange {
  return { put: headKey, value: encodeCanonical({ height, digest }) };
}

export class LedgerStateStore {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  /** Undefined before the first save. Whether it is intact is for the reader to check against the block's state root. */
  async load(): Promise<SavedLedgerState | undefined> {
    const saved = await this.#store.get(headKey);
    if (saved === undefined) return undefined;
    const { height, digest } = decodeCanonical(saved) as {
      readonly height: number;
      readonly digest: Uint8Array;
    };
    const entries: Entry[] = [];
    for await (const [key, value] of this.#store.list(statePrefix))
      entries.push([key.slice(statePrefix.length), value]);
    return { height, digest, entries };
  }

  /** One value as it was last saved, and the height of that; undefined before the first save. */
  async value(
    key: string,
  ): Promise<{ readonly height: number; readonly value: Uint8Array | undefined } | undefined> {
    const saved = await this.#store.get(headKey);
    if (saved === undefined) return undefined;
    const { height } = decodeCanonical(saved) as { readonly height: number };
    return { height, value: await this.#store.get(statePrefix + key) };
  }

  /** Applies the changes of the blocks up to this one. @throws AppError STORE_FAILED. */
  save(height: number, digest: Uint8Array, changes: readonly StateChange[]): Promise<void> {
    const writes = changes.map(({ key, value }): KeyValueChange =>
      value === null ? { delete: statePrefix + key } : { put: statePrefix + key, value },
    );
    return this.#store.write([head(height, digest), ...writes]);
  }

  /** Puts these entries in the place of all that was there. @throws AppError STORE_FAILED. */
  async reset(height: number, digest: Uint8Array, entries: Iterable<Entry>): Promise<void> {
    const writes: KeyValueChange[] = [];
    for await (const [key] of this.#store.list(statePrefix)) writes.push({ delete: key });
    for (const [key, value] of entries) writes.push({ put: statePrefix + key, value });
    await this.#store.write([...writes, head(height, digest)]);
  }
}
