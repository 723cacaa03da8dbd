import { AppError } from '../../firmware/src/errors.ts';
import type { StateChange } from '../../firmware/src/ledger/types.ts';
import type { SavedState, StateStore } from '../../firmware/src/validator/state-store.ts';

/** The ledger's state on a disk in memory, which outlives the box. */
export class MemoryStateStore implements StateStore {
  readonly entries = new Map<string, Uint8Array>();
  height: number | undefined;
  digest = new Uint8Array();
  failSaves = false;

  load(): Promise<SavedState | undefined> {
    const { height, digest } = this;
    return Promise.resolve(height === undefined ? undefined : { height, digest, entries: [...this.entries] });
  }

  save(height: number, digest: Uint8Array, changes: readonly StateChange[]): Promise<void> {
    if (this.failSaves) return Promise.reject(new AppError('STORE_FAILED', 'memory state cannot be written'));
    for (const { key, value } of changes) {
      if (value === null) this.entries.delete(key);
      else this.entries.set(key, value);
    }
    this.height = height;
    this.digest = digest.slice();
    return Promise.resolve();
  }

  reset(
    height: number,
    digest: Uint8Array,
    entries: Iterable<readonly [key: string, value: Uint8Array]>,
  ): Promise<void> {
    this.entries.clear();
    for (const [key, value] of entries) this.entries.set(key, value);
    this.height = height;
    this.digest = digest.slice();
    return Promise.resolve();
  }
}
