/** Key-value state on LevelDB (classic-level). Rebuildable state, or values that are encrypted one by one. */
import { mkdir } from 'node:fs/promises';
import { ClassicLevel } from 'classic-level';
import { AppError } from '../errors.ts';
import type { KeyValueChange, KeyValueStore } from '../ports.ts';
import { openRecord, sealRecord } from './sealed-record.ts';

export class LevelStore implements KeyValueStore {
  readonly #level: ClassicLevel<string, Uint8Array>;
  readonly #folder: string;

  private constructor(folder: string, level: ClassicLevel<string, Uint8Array>) {
    this.#folder = folder;
    this.#level = level;
  }

  /** @throws AppError STORE_CORRUPT if LevelDB refuses to open the folder. */
  static async open(folder: string): Promise<LevelStore> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const level = new ClassicLevel<string, Uint8Array>(folder, { valueEncoding: 'view' });
    try {
      await level.open();
    } catch (cause) {
      throw new AppError('STORE_CORRUPT', `The store in ${folder} does not open.`, { cause });
    }
    return new LevelStore(folder, level);
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#level.get(key);
  }

  async *list(prefix: string): AsyncIterable<readonly [string, Uint8Array]> {
    yield* this.#level.iterator({ gte: prefix, lt: `${prefix}\uffff` });
  }

  async write(changes: readonly KeyValueChange[]): Promise<void> {
    try {
      await this.#level.batch(
        changes.map((change) =>
          'put' in change
            ? ({ type: 'put', key: change.put, value: change.value } as const)
            : ({ type: 'del', key: change.delete } as const),
        ),
        { sync: true },
      );
    } catch (cause) {
      throw new AppError('STORE_FAILED', `The store in ${this.#folder} cannot be written.`, { cause });
    }
  }

  close(): Promise<void> {
    return this.#level.close();
  }
}

/** Encrypts each value under a key that the box key wraps. Keys stay readable: they must say nothing of a patient. */
export class EncryptedStore implements KeyValueStore {
  readonly #inner: KeyValueStore;
  readonly #key: Uint8Array;

  constructor(inner: KeyValueStore, key: Uint8Array) {
    this.#inner = inner;
    this.#key = key;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const sealed = await this.#inner.get(key);
    return sealed === undefined ? undefined : openRecord(this.#key, key, sealed);
  }

  async *list(prefix: string): AsyncIterable<readonly [string, Uint8Array]> {
    for await (const [key, sealed] of this.#inner.list(prefix))
      yield [key, openRecord(this.#key, key, sealed)];
  }

  write(changes: readonly KeyValueChange[]): Promise<void> {
    return this.#inner.write(
      changes.map((change) =>
        'put' in change
          ? { put: change.put, value: sealRecord(this.#key, change.put, change.value) }
          : change,
      ),
    );
  }
}
