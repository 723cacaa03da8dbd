/** Whose signatures look otherwise from a block on. */
import { equalBytes } from '../encoding/bytes.ts';
import type { LedgerState, Transaction } from '../ledger/types.ts';
import type { InstitutionId } from '../ports.ts';

/** Members that sign with another transaction key after these transactions, those of one block, than before. */
export function newlyKeyed(
  transactions: readonly Transaction[],
  before: LedgerState,
  after: LedgerState,
): InstitutionId[] {
  const updated = new Set<InstitutionId>();
  for (const { body } of transactions) {
    if (body.type === 'institution.update' || body.type === 'institution.replace')
      updated.add(body.institution);
  }
  return [...updated].filter((id) => {
    const old = before.institution(id)?.keys.transaction;
    const now = after.institution(id)?.keys.transaction;
    return old !== undefined && now !== undefined && !equalBytes(old, now);
  });
}
