import type { StateChange } from '../ledger/types.ts';

/** The ledger's state on disk, rebuildable from the block log. Both writes are atomic and on disk when they resolve. */
export interface StateStore {
  /** The state as last saved; undefined before the first time. */
  load(): Promise<SavedState | undefined>;
  /** Applies the changes of the blocks up to this one. @throws AppError STORE_FAILED. */
  save(height: number, digest: Uint8Array, changes: readonly StateChange[]): Promise<void>;
  /** Puts these entries in the place of all that was there. @throws AppError STORE_FAILED. */
  reset(
    height: number,
    digest: Uint8Array,
    entries: Iterable<readonly [key: string, value: Uint8Array]>,
  ): Promise<void>;
}

export interface SavedState {
  readonly height: number;
  /** Digest of the block at that height. */
  readonly digest: Uint8Array;
  readonly entries: Iterable<readonly [key: string, value: Uint8Array]>;
}
