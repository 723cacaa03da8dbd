import { AppError } from '../errors.ts';
import { formatKnown } from '../ledger/index.ts';
import type { LedgerState } from '../ledger/types.ts';

/**
 * The consortium goes over to a newer format at a height that a quorum of its validators brought about. A box without
 * its rules would judge wrongly from there on: it votes no more, brings nothing to the ledger, and so releases nothing.
 * @throws AppError FORMAT_UNKNOWN if a block at this height has rules that this firmware does not know.
 */
export function assertFormatKnown(state: LedgerState, height: number): void {
  const format = state.formatAt(height);
  if (format <= formatKnown) return;
  throw new AppError(
    'FORMAT_UNKNOWN',
    `the ledger is of format ${format} from height ${height} on; this firmware knows up to ${formatKnown}`,
  );
}
