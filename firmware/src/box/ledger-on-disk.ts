/** The ledger as a stopped box last saved it: its commands ask nobody else. */
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import type { RecordFormat } from '../ledger/record-format.ts';
import { LedgerStateStore } from '../store/ledger-state-store.ts';
import { LevelStore } from '../store/level-store.ts';

/** What stood under a key when the ledger was last saved. */
export interface Saved<T> {
  readonly height: number;
  /** Undefined if there was none. */
  readonly record: T | undefined;
}

/** Undefined before the first block is saved. @throws AppError STORE_CORRUPT. */
export type ReadSaved = <T>(format: RecordFormat<T>, key: string) => Promise<Saved<T> | undefined>;

/** The box has to be stopped. @throws AppError STORE_CORRUPT, and what `read` throws. */
export async function readLedgerOnDisk<T>(
  dataDir: string,
  read: (saved: ReadSaved) => Promise<T>,
): Promise<T> {
  const store = await LevelStore.open(join(dataDir, 'ledger'));
  const state = new LedgerStateStore(store);
  try {
    return await read(async (format, key) => {
      const saved = await state.value(key);
      if (saved === undefined) return undefined;
      const { height, value } = saved;
      if (value === undefined) return { height, record: undefined };
      const decoded = format.decode(value);
      if (decoded.kind === 'refused')
        throw new AppError('STORE_CORRUPT', `the record ${key} of the ledger in ${dataDir} is damaged`);
      return { height, record: decoded.value };
    });
  } finally {
    await store.close();
  }
}
