/**
 * Which open proposals a removal may have decided: fewer members need fewer votes, and nobody who has voted votes again.
 * recount.ts decides them.
 */
import { bytesField, listField } from '../fields.ts';
import { idBytes } from '../ids.ts';
import { listedProposalsMax } from '../limits.ts';
import { recordFormat } from '../record-format.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { verdictOf } from './verdict.ts';

/** Their ids, in the order in which they were made. Under `recount`, as long as there are any. */
export const recountRecord = recordFormat<readonly Uint8Array[]>(
  (ids) => ids,
  (value) =>
    listField(value, 'recount', 1, listedProposalsMax).map((id, index) =>
      bytesField(id, `recount[${index}]`, 32),
    ),
);

/** The state in which all open proposals wait whose votes suffice now, be it for them or against. */
export function withRecount(state: LedgerSnapshot): LedgerSnapshot {
  const members = state.memberIds().length;
  const waiting = state
    .proposals()
    .filter(({ proposal }) => verdictOf(proposal, members) !== undefined)
    .map(({ id }) => idBytes(id));
  return withWaiting(state, waiting);
}

/** The state in which these wait. */
export function withWaiting(state: LedgerSnapshot, ids: readonly Uint8Array[]): LedgerSnapshot {
  return ids.length === 0
    ? state.delete(stateKeys.recount)
    : state.put(recountRecord, stateKeys.recount, ids);
}
