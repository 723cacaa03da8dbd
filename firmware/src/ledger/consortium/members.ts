/** Members as they come, change and go. */
import { withAcceptedReleases } from '../releases/accepted.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { idListRecord } from './id-list-record.ts';
import { institutionRecord, type Institution, type InstitutionRecord } from './institution-record.ts';
import { withKeysOf, withoutKeysOf } from './key-holders.ts';
import { membersRecord, withId, withoutId } from './members-record.ts';
import { withRecount } from './recount-record.ts';
import { withoutWordsOf } from './words.ts';

/** The state with a member as it is from now on. Epochs that have begun keep the voting keys that they began with. */
export function withMember(state: LedgerSnapshot, member: InstitutionRecord): LedgerSnapshot {
  const before = state.institution(member.id);
  return withKeysOf(state, member.id, member.keys, before?.keys).put(
    institutionRecord,
    stateKeys.institution(member.id),
    member,
  );
}

/** From this block time on. One that was a member before goes on with its count of versions: no update of then applies again. */
export function admitted(state: LedgerSnapshot, institution: Institution, time: number): LedgerSnapshot {
  const { id } = institution;
  const version = (state.departed(id)?.version ?? 0) + 1;
  return withMember(state, { ...institution, version, deviceSince: time })
    .put(membersRecord, stateKeys.institutions, withId(state.members(), id))
    .delete(stateKeys.departed(id));
}

/**
 * It signs nothing from now on and validates no further epoch. Its last record is kept: studies and receipts name it, and
 * what it was must stay readable. What the others said may suffice now, at this block time.
 */
export function removed(state: LedgerSnapshot, id: string, time: number): LedgerSnapshot {
  const member = state.institution(id);
  if (member === undefined) throw new RangeError(`${id} is no member`);
  const left = withoutKeysOf(withoutWordsOf(state, id), member.keys)
    .delete(stateKeys.institution(id))
    .put(institutionRecord, stateKeys.departed(id), member)
    .put(membersRecord, stateKeys.institutions, withoutId(state.members(), id))
    .put(
      idListRecord,
      stateKeys.nextValidators,
      state.nextValidators().filter((other) => other !== id),
    );
  return withAcceptedReleases(withRecount(left), time);
}
