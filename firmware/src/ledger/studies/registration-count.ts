/** How much a source registered in this epoch: none fills the state of all others at its pleasure. */
import { mapField } from '../fields.ts';
import { registrationsOfEpochMax } from '../limits.ts';
import { counterField, recordFormat } from '../record-format.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';

export interface RegistrationCount {
  readonly epoch: number;
  /** Records that its registrations made: one for each study, one for a whole batch of them. */
  readonly records: number;
}

/** Under `registrations/<source>`. */
export const registrationCount = recordFormat<RegistrationCount>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'registrations', ['epoch', 'records']);
    return { epoch: counterField(map.epoch, 'epoch'), records: counterField(map.records, 'records') };
  },
);

/** The state with so many records more, or that the source has made as many as it may in an epoch. */
export function withRegistrations(
  state: LedgerSnapshot,
  source: string,
  records: number,
): LedgerSnapshot | 'too-many-registrations' {
  const key = stateKeys.registrations(source);
  const epoch = state.epoch().number;
  const last = state.get(registrationCount, key);
  const total = records + (last?.epoch === epoch ? last.records : 0);
  if (total > registrationsOfEpochMax) return 'too-many-registrations';
  return state.put(registrationCount, key, { epoch, records: total });
}
