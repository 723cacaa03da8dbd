/** A key-value store in memory that keeps the port's promises but the disk. */
import type { KeyValueChange, KeyValueStore } from '../../firmware/src/ports.ts';

export class MemoryStore implements KeyValueStore {
  readonly values = new Map<string, Uint8Array>();

  async get(key: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.values.get(key));
  }

  async *list(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]> {
    for (const key of [...this.values.keys()].sort()) {
      const value = this.values.get(key);
      if (key.startsWith(prefix) && value !== undefined) yield Promise.resolve([key, value] as const);
    }
  }

  async write(changes: readonly KeyValueChange[]): Promise<void> {
    for (const change of changes) {
      if ('put' in change) this.values.set(change.put, change.value);
      else this.values.delete(change.delete);
    }
    return Promise.resolve();
  }
}
