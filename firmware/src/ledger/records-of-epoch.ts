/**
 * How many records each institution made the state keep in this epoch, all its transactions taken together: the state is
 * kept for ever by all, so none fills it at its pleasure. Each kind counts for itself: a source that brings in an archive
 * still releases studies, and nothing that others do uses up the emergencies of a member.
 */
import { mapField } from './fields.ts';
import {
  accessRecordsOfEpochMax,
  bulkStudiesOfEpochMax,
  emergencyRecordsOfEpochMax,
  furtherGrantRecordsOfEpochMax,
  registrationsOfEpochMax,
} from './limits.ts';
import { counterField, recordFormat } from './record-format.ts';
import type { RuleReason } from './refusals.ts';
import { stateKeys } from './state-keys.ts';
import type { LedgerSnapshot } from './state.ts';
import type { StudyId } from './types.ts';

export interface RecordsOfEpoch {
  readonly epoch: number;
  /** By its registrations: one for each study, one for a whole batch of them in bulk. */
  readonly registrations: number;
  /** Studies that it registered in bulk: each can become a record. */
  readonly bulkStudies: number;
  /** As a source: its referrals, the opens that it signed, the studies in bulk that its acts opened up. */
  readonly access: number;
  /** Its emergencies, and the opens under them. */
  readonly emergencies: number;
  /** Grants of its studies' owners, beyond the first ones of each study. */
  readonly furtherGrants: number;
}

const kinds = ['registrations', 'bulkStudies', 'access', 'emergencies', 'furtherGrants'] as const;
export type RecordKind = (typeof kinds)[number];

const none = { registrations: 0, bulkStudies: 0, access: 0, emergencies: 0, furtherGrants: 0 } as const;

type BudgetReason = Extract<
  RuleReason,
  'too-many-registrations' | 'too-many-accesses' | 'too-many-emergencies'
>;

const budgets: { readonly [Kind in RecordKind]: { readonly max: number; readonly reason: BudgetReason } } = {
  registrations: { max: registrationsOfEpochMax, reason: 'too-many-registrations' },
  bulkStudies: { max: bulkStudiesOfEpochMax, reason: 'too-many-registrations' },
  access: { max: accessRecordsOfEpochMax, reason: 'too-many-accesses' },
  emergencies: { max: emergencyRecordsOfEpochMax, reason: 'too-many-emergencies' },
  furtherGrants: { max: furtherGrantRecordsOfEpochMax, reason: 'too-many-accesses' },
};

/** Under `records/<institution>`. */
export const recordsOfEpoch = recordFormat<RecordsOfEpoch>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'records', ['epoch', ...kinds]);
    return {
      epoch: counterField(map.epoch, 'epoch'),
      registrations: counterField(map.registrations, 'registrations'),
      bulkStudies: counterField(map.bulkStudies, 'bulkStudies'),
      access: counterField(map.access, 'access'),
      emergencies: counterField(map.emergencies, 'emergencies'),
      furtherGrants: counterField(map.furtherGrants, 'furtherGrants'),
    };
  },
);

/** The state with so many records more of these kinds, or that the institution has made as many as it may in an epoch. */
export function withRecords(
  state: LedgerSnapshot,
  institution: string,
  more: { readonly [Kind in RecordKind]?: number },
): LedgerSnapshot | BudgetReason {
  const key = stateKeys.records(institution);
  const epoch = state.epoch().number;
  const last = state.get(recordsOfEpoch, key);
  const before = last?.epoch === epoch ? last : { ...none, epoch };
  const after: Record<RecordKind | 'epoch', number> = { ...before };
  for (const kind of kinds) {
    after[kind] += more[kind] ?? 0;
    if (after[kind] > budgets[kind].max) return budgets[kind].reason;
  }
  return state.put(recordsOfEpoch, key, after);
}

/** The same for an act of a source that makes the record of a study in bulk, if it is the first to name it. */
export function withFirstUse(
  state: LedgerSnapshot,
  source: string,
  study: StudyId,
): LedgerSnapshot | BudgetReason {
  return state.has(stateKeys.study(study)) ? state : withRecords(state, source, { access: 1 });
}
