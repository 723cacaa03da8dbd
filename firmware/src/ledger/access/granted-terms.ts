/** What grants and referrals have in common: the same terms, the same sequence rules, the same record. */
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import {
  booleanField,
  boundedBytesField,
  bytesField,
  integerField,
  ShapeError,
  timeField,
} from '../fields.ts';
import { idBytes, toStudyId } from '../ids.ts';
import { grantNoteBytesMax, grantOpensMax, grantsOfStudyMax, referralsOfStudyMax } from '../limits.ts';
import type { RuleReason } from '../refusals.ts';
import type { LedgerSnapshot } from '../state.ts';
import { namedStudy, type StudyLeaf } from '../studies/leaf.ts';
import { ownerEpochRefusal } from '../studies/standing.ts';
import { accessRefusal } from '../studies/status.ts';
import type { StudyRecord } from '../studies/study-record.ts';
import { counterMax } from '../transaction-type.ts';
import type { BasisId, BodyBase } from '../types.ts';
import type { BasisKind, BasisRecord } from './basis-record.ts';
import { isRevokedAhead } from './basis.ts';

export interface GrantedTerms extends BodyBase {
  readonly studyId: Uint8Array;
  readonly ownerEpoch: number;
  /** Exactly one more than the last of its kind of this study; the first is 1. */
  readonly seq: number;
  /** K_g: one-time key derived from the grantee institution's account. */
  readonly granteeKey: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly tag: number;
  /** H("terms", salt ‖ terms). */
  readonly termsHash: Uint8Array;
  readonly notBefore: number;
  readonly expiry: number;
  readonly maxOpens: number;
  /** Whether it covers versions of the study after the one that stands when it becomes final. */
  readonly amendments: boolean;
  /** Sealed note of fixed size (protocol/grant-note.ts). */
  readonly note: Uint8Array;
  readonly leaf?: StudyLeaf;
}

export const grantedTermNames = [
  'studyId',
  'ownerEpoch',
  'seq',
  'granteeKey',
  'ephemeral',
  'tag',
  'termsHash',
  'notBefore',
  'expiry',
  'maxOpens',
  'amendments',
  'note',
] as const;

/** @throws ShapeError */
export function readGrantedTerms(
  map: Readonly<Record<(typeof grantedTermNames)[number], CborValue>>,
): Omit<GrantedTerms, keyof BodyBase | 'leaf'> {
  const notBefore = timeField(map.notBefore, 'notBefore');
  const expiry = timeField(map.expiry, 'expiry');
  if (expiry <= notBefore) throw new ShapeError('expiry: later than notBefore expected');
  return {
    studyId: bytesField(map.studyId, 'studyId', 32),
    ownerEpoch: integerField(map.ownerEpoch, 'ownerEpoch', 0, counterMax),
    seq: integerField(map.seq, 'seq', 1, counterMax),
    granteeKey: bytesField(map.granteeKey, 'granteeKey', 32),
    ephemeral: bytesField(map.ephemeral, 'ephemeral', 32),
    tag: integerField(map.tag, 'tag', 0, 255),
    termsHash: bytesField(map.termsHash, 'termsHash', 32),
    notBefore,
    expiry,
    maxOpens: integerField(map.maxOpens, 'maxOpens', 1, grantOpensMax),
    amendments: booleanField(map.amendments, 'amendments'),
    note: boundedBytesField(map.note, 'note', 1, grantNoteBytesMax),
  };
}

/** The study that is granted, if everything holds but signature and grantee key, which cost the most. */
export function grantedStudy(
  state: LedgerSnapshot,
  body: GrantedTerms,
  id: BasisId,
  kind: Exclude<BasisKind, 'emergency'>,
  time: number,
): StudyRecord | RuleReason {
  const study = namedStudy(state, toStudyId(body.studyId), body.leaf);
  if (typeof study === 'string') return study;
  const epoch = ownerEpochRefusal(study, body.ownerEpoch);
  if (epoch !== undefined) return epoch;
  const revoked = kind === 'grant' && body.seq <= study.revokedUpTo;
  if (revoked || isRevokedAhead(study, idBytes(id))) return 'revoked';
  const last = kind === 'grant' ? study.grantSeq : study.referralSeq;
  if (body.seq <= last) return 'seq-stale';
  if (body.expiry <= time) return 'basis-expired';
  if (body.seq > last + 1) return 'seq-gap';
  const [count, countMax] =
    kind === 'grant' ? [study.grants, grantsOfStudyMax] : [study.referralSeq, referralsOfStudyMax];
  if (count >= countMax) return 'too-many-bases';
  return accessRefusal(study) ?? study;
}

/** The record of a grant or referral that has just become final. */
export function grantedBasis(
  body: GrantedTerms,
  kind: Exclude<BasisKind, 'emergency'>,
  study: StudyRecord,
  time: number,
): BasisRecord {
  const { studyId, ownerEpoch, seq, granteeKey, notBefore, expiry, maxOpens, amendments } = body;
  return {
    kind,
    studyId,
    ownerEpoch,
    seq,
    granteeKey,
    notBefore,
    expiry,
    maxOpens,
    amendments,
    head: study.commitment,
    opens: 0,
    grantedAt: time,
    emergency: null,
  };
}
