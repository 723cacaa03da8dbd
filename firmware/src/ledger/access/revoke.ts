/**
 * access.revoke: the owner takes one grant or referral back, or all grants up to a number, even what has not arrived
 * yet. A source takes its own referral back. An emergency is nobody's to take back: it expires by itself.
 */
import { equalBytes } from '../../encoding/bytes.ts';
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { bytesField, integerField, mapField } from '../fields.ts';
import { toBasisId, toStudyId } from '../ids.ts';
import { revocationsAheadMax, revocationSeqAheadMax } from '../limits.ts';
import { signingInstitution, type Outcome, type RuleContext } from '../rule.ts';
import type { LedgerSnapshot } from '../state.ts';
import { stateKeys } from '../state-keys.ts';
import { namedStudy, readBodyWithLeaf, type StudyLeaf } from '../studies/leaf.ts';
import { ownerEpochRefusal } from '../studies/standing.ts';
import { studyRecord, type StudyRecord } from '../studies/study-record.ts';
import { counterMax, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { basisHolds, isRevokedAhead } from './basis.ts';
import { revocationRecord } from './revocation-record.ts';

export interface AccessRevoke extends BodyBase {
  readonly type: 'access.revoke';
  readonly studyId: Uint8Array;
  readonly ownerEpoch: number;
  /** One grant or referral by its id, or all grants up to and including a seq; valid even before they arrive. */
  readonly target: { readonly basisId: Uint8Array } | { readonly upTo: number };
  readonly leaf?: StudyLeaf;
}

function readTarget(value: CborValue): AccessRevoke['target'] {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, 'upTo')) {
    return { upTo: integerField(mapField(value, 'target', ['upTo']).upTo, 'target.upTo', 1, counterMax) };
  }
  return { basisId: bytesField(mapField(value, 'target', ['basisId']).basisId, 'target.basisId', 32) };
}

/**
 * The sequence goes on after the last revoked number: numbers that had not arrived are spent, or the grants after them
 * would wait for ever.
 */
function revokeUpTo(
  state: LedgerSnapshot,
  body: AccessRevoke,
  study: StudyRecord,
  upTo: number,
  context: RuleContext,
): Outcome {
  if (upTo <= study.revokedUpTo) return 'already-revoked';
  if (upTo > study.grantSeq + revocationSeqAheadMax) return 'seq-gap';
  if (!context.signedBy(study.ownerKey)) return 'bad-signature';
  return state.put(studyRecord, stateKeys.study(toStudyId(body.studyId)), {
    ...study,
    revokedUpTo: upTo,
    grantSeq: Math.max(study.grantSeq, upTo),
  });
}

function signedBySource(state: LedgerSnapshot, { source }: StudyRecord, context: RuleContext): boolean {
  const institution = signingInstitution(state, source, context.time);
  return typeof institution === 'object' && context.signedBy(institution.keys.transaction);
}

function revokeOne(
  state: LedgerSnapshot,
  body: AccessRevoke,
  study: StudyRecord,
  target: Uint8Array,
  context: RuleContext,
): Outcome {
  const studyKey = toStudyId(body.studyId);
  const id = toBasisId(target);
  const basis = state.basis(id);
  if (basis === undefined) {
    if (isRevokedAhead(study, target)) return 'already-revoked';
    // Perhaps of a referral that is still on its way: it waits, since only the owner's word is kept for what has not come.
    // The source's key is tried first: whoever judges it again at each block remembers a good signature, but no bad one.
    if (signedBySource(state, study, context)) return 'unknown-basis';
    if (!context.signedBy(study.ownerKey)) return 'bad-signature';
    if (study.revokedAhead.length >= revocationsAheadMax) return 'too-many-revocations';
    return state.put(studyRecord, stateKeys.study(studyKey), {
      ...study,
      revokedAhead: [...study.revokedAhead, target],
    });
  }
  if (!equalBytes(basis.studyId, body.studyId)) return 'wrong-study';
  if (basis.kind === 'emergency') return 'not-revocable';
  if (!basisHolds(basis, study, state.has(stateKeys.revoked(id)))) return 'already-revoked';
  const bySource = basis.kind === 'referral' && signedBySource(state, study, context);
  if (!bySource && !context.signedBy(study.ownerKey)) return 'bad-signature';
  return state.put(revocationRecord, stateKeys.revoked(id), {
    studyId: body.studyId,
    revokedAt: context.time,
  });
}

/** Signed by the study's owner key; of a referral, by that or by the source. */
export const accessRevoke: TransactionType<AccessRevoke> = {
  read(value) {
    const { map, base } = readBodyWithLeaf(value, 'access.revoke', ['studyId', 'ownerEpoch', 'target']);
    return {
      ...base,
      studyId: bytesField(map.studyId, 'studyId', 32),
      ownerEpoch: integerField(map.ownerEpoch, 'ownerEpoch', 0, counterMax),
      target: readTarget(map.target),
    };
  },
  signers: () => 1,
  // Of one basis, the source's key is tried, too.
  work: ({ target }) => ('upTo' in target ? {} : { signatures: 1 }),
  apply(state, body, context) {
    const study = namedStudy(state, toStudyId(body.studyId), body.leaf);
    if (typeof study === 'string') return study;
    const epoch = ownerEpochRefusal(study, body.ownerEpoch);
    if (epoch !== undefined) return epoch;
    return 'upTo' in body.target
      ? revokeUpTo(state, body, study, body.target.upTo, context)
      : revokeOne(state, body, study, body.target.basisId, context);
  },
};
