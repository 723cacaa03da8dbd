/** What the three kinds of basis share: how one is added to a study, and whether it stands. */
import { equalBytes } from '../../encoding/bytes.ts';
import { idBytes, toStudyId } from '../ids.ts';
import type { RuleReason } from '../refusals.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { accessRefusal } from '../studies/status.ts';
import { studyRecord, type StudyRecord } from '../studies/study-record.ts';
import type { BasisId } from '../types.ts';
import { basisRecord, studyBasisRecord, type BasisRecord } from './basis-record.ts';

/** The basis, and its number. */
export const recordsOfBasis = 2;

/** The state with a new basis of this study, under its number. */
export function withBasis(
  state: LedgerSnapshot,
  id: BasisId,
  study: StudyRecord,
  basis: BasisRecord,
): LedgerSnapshot {
  const studyKey = toStudyId(basis.studyId);
  const number = study.bases + 1;
  return state
    .put(basisRecord, stateKeys.basis(id), basis)
    .put(studyBasisRecord, stateKeys.studyBasis(studyKey, number), { basisId: idBytes(id) })
    .put(studyRecord, stateKeys.study(studyKey), { ...study, bases: number });
}

/**
 * True if the study's owner revoked the basis before it arrived. Only its own study's record is asked: nobody else can
 * stop a basis that is still on its way, though everybody may have seen its id.
 */
export function isRevokedAhead({ revokedAhead }: StudyRecord, id: Uint8Array): boolean {
  return revokedAhead.some((revoked) => equalBytes(revoked, id));
}

/** Whether the study's owner epoch is one under which the basis holds. An emergency is no word of the owner's. */
function ofCurrentOwner(basis: BasisRecord, study: StudyRecord): boolean {
  return basis.kind === 'emergency' || basis.ownerEpoch === study.ownerEpoch;
}

/** True if nobody took the basis back: not by a revocation, and not by another owner. Time and status are not asked. */
export function basisHolds(basis: BasisRecord, study: StudyRecord, revoked: boolean): boolean {
  if (revoked || !ofCurrentOwner(basis, study)) return false;
  return basis.kind !== 'grant' || basis.seq > study.revokedUpTo;
}

export type BasisReason = Extract<
  RuleReason,
  | 'study-frozen'
  | 'study-rescinded'
  | 'study-erased'
  | 'reassignment-pending'
  | 'owner-epoch-stale'
  | 'revoked'
  | 'basis-not-yet-valid'
  | 'basis-expired'
  | 'emergency-unconfirmed'
>;

/**
 * Why the basis permits no release of its study at this time (UTC milliseconds), or undefined; how often it was opened
 * is not asked. The ledger asks with block time; a source, which knows another time besides, asks with both.
 */
export function basisRefusal(
  basis: BasisRecord,
  study: StudyRecord,
  revoked: boolean,
  time: number,
): BasisReason | undefined {
  if (!ofCurrentOwner(basis, study)) return 'owner-epoch-stale';
  if (!basisHolds(basis, study, revoked)) return 'revoked';
  if (time >= basis.expiry) return 'basis-expired';
  const { emergency } = basis;
  if (emergency?.confirmed === null && time >= emergency.confirmBy) return 'emergency-unconfirmed';
  const status = accessRefusal(study);
  if (status !== undefined) return status;
  return time < basis.notBefore ? 'basis-not-yet-valid' : undefined;
}
