/**
 * Which open proposals a removal may have decided: fewer members need fewer votes, and nobody who has voted votes again.
 * recount.ts counts them.
 */
import { bytesField, listField } from '../fields.ts';
import { listedProposalsMax } from '../limits.ts';
import { recordFormat } from '../record-format.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';

/** Their ids, in the order in which they were made. Under `recount`, as long as there are any. */
export const recountRecord = recordFormat<readonly Uint8Array[]>(
  (ids) => ids,
  (value) =>
    listField(value, 'recount', 1, listedProposalsMax).map((id, index) =>
      bytesField(id, `recount[${index}]`, 32),
    ),
);

/** The state in which all open proposals wait to be counted again. */
export function withRecount(state: LedgerSnapshot): LedgerSnapshot {
  return withWaiting(state, state.openProposals());
}

/** The state in which these wait. */
export function withWaiting(state: LedgerSnapshot, ids: readonly Uint8Array[]): LedgerSnapshot {
  return ids.length === 0
    ? state.delete(stateKeys.recount)
    : state.put(recountRecord, stateKeys.recount, ids);
}
