/** Whether a transaction speaks of the study as it stands: of its owner, and of its version. */
import type { RuleReason } from '../refusals.ts';
import type { StudyRecord } from './study-record.ts';

/** Each transfer and each reassignment begins a new owner epoch: what the owner before signed holds no more. */
export function ownerEpochRefusal(
  study: StudyRecord,
  ownerEpoch: number,
): Extract<RuleReason, 'owner-epoch-stale' | 'owner-epoch-gap'> | undefined {
  if (ownerEpoch < study.ownerEpoch) return 'owner-epoch-stale';
  return ownerEpoch > study.ownerEpoch ? 'owner-epoch-gap' : undefined;
}

/** A note is sealed for one version: a transaction that brings one names which. */
export function versionRefusal(
  study: StudyRecord,
  version: number,
): Extract<RuleReason, 'version-stale' | 'version-gap'> | undefined {
  if (version < study.version) return 'version-stale';
  return version > study.version ? 'version-gap' : undefined;
}
