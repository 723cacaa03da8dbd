/**
 * What a member said stands while it is one. Its votes and its acceptances of releases are its seat's, and count no more
 * without it (seats.ts); its signal for a format leaves the state here. Admitted again it has another seat, and may say it
 * again; nothing counts by itself.
 */
import { formatsRecord } from '../formats/formats-record.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';

/** The state without what this institution said, where it does not end with its seat. */
export function withoutWordsOf(state: LedgerSnapshot, institution: string): LedgerSnapshot {
  const formats = state.formats();
  const signals = formats.signals.filter((signal) => signal.institution !== institution);
  if (signals.length === formats.signals.length) return state;
  return state.put(formatsRecord, stateKeys.formats, { ...formats, signals });
}
