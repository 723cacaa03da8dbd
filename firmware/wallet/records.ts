/** Proven values as the ledger's records. */
import { AppError } from '../src/errors.ts';
import type { RecordFormat } from '../src/ledger/index.ts';

/** The record, or undefined if the key is absent. @throws AppError LEDGER_UNPROVEN if it is of no known format. */
export function readRecord<T>(format: RecordFormat<T>, value: Uint8Array | null | undefined): T | undefined {
  if (value === null || value === undefined) return undefined;
  const decoded = format.decode(value);
  if (decoded.kind === 'refused') {
    throw new AppError('LEDGER_UNPROVEN', `A record of the ledger cannot be read: ${decoded.detail}.`);
  }
  return decoded.value;
}
