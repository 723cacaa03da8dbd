/** How many emergencies one member declared of one study lately: nobody fills the ledger with them. */
import { mapField, timeField } from '../fields.ts';
import { emergenciesInWindowMax } from '../limits.ts';
import { counterField, recordFormat } from '../record-format.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import type { StudyId } from '../types.ts';

export interface EmergencyCount {
  /** Block time of the first one that is counted. */
  readonly since: number;
  readonly count: number;
}

/** Under `emergencies/<study>/<institution>`. */
export const emergencyCount = recordFormat<EmergencyCount>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'emergencies', ['since', 'count']);
    return { since: timeField(map.since, 'since'), count: counterField(map.count, 'count') };
  },
);

/**
 * The state with one emergency more of this member, or that it has declared as many as it may within `emergencyMs`. Each
 * member counts for itself, so that none can keep another from an emergency.
 */
export function withEmergency(
  state: LedgerSnapshot,
  study: StudyId,
  institution: string,
  time: number,
): LedgerSnapshot | 'too-many-emergencies' {
  const key = stateKeys.emergencies(study, institution);
  const last = state.get(emergencyCount, key);
  const goesOn = last !== undefined && time < last.since + state.parameters().emergencyMs;
  if (goesOn && last.count >= emergenciesInWindowMax) return 'too-many-emergencies';
  return state.put(
    emergencyCount,
    key,
    goesOn ? { since: last.since, count: last.count + 1 } : { since: time, count: 1 },
  );
}
