/** access.revoke: the owner takes one grant back, or all up to a number, even those that have not arrived yet. */
import { equalBytes } from '../../encoding/bytes.ts';
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { bytesField, integerField, mapField } from '../fields.ts';
import { toGrantId, toStudyId } from '../ids.ts';
import { revocationSeqAheadMax } from '../limits.ts';
import type { Outcome, RuleContext } from '../rule.ts';
import type { LedgerSnapshot } from '../state.ts';
import { stateKeys } from '../state-keys.ts';
import { studyRecord } from '../studies/study-record.ts';
import { revocationRecord } from './revocation-record.ts';
import { counterMax, readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase, StudyRecord } from '../types.ts';

export interface AccessRevoke extends BodyBase {
  readonly type: 'access.revoke';
  readonly studyId: Uint8Array;
  readonly ownerEpoch: number;
  /** One grant by its id, or all grants up to and including a seq; valid even before they arrive. */
  readonly target: { readonly grantId: Uint8Array } | { readonly upTo: number };
}

function readTarget(value: CborValue): AccessRevoke['target'] {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, 'upTo')) {
    return { upTo: integerField(mapField(value, 'target', ['upTo']).upTo, 'target.upTo', 1, counterMax) };
  }
  return { grantId: bytesField(mapField(value, 'target', ['grantId']).grantId, 'target.grantId', 32) };
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

function revokeOne(
  state: LedgerSnapshot,
  body: AccessRevoke,
  study: StudyRecord,
  target: Uint8Array,
  context: RuleContext,
): Outcome {
  const studyKey = toStudyId(body.studyId);
  const id = toGrantId(target);
  const record = { studyId: body.studyId, revokedAt: context.time };
  const grant = state.grant(id);
  if (grant === undefined) {
    if (state.has(stateKeys.revokedAhead(studyKey, id))) return 'already-revoked';
    if (!context.signedBy(study.ownerKey)) return 'bad-signature';
    return state.put(revocationRecord, stateKeys.revokedAhead(studyKey, id), record);
  }
  if (!equalBytes(grant.studyId, body.studyId)) return 'wrong-study';
  if (grant.seq <= study.revokedUpTo || state.has(stateKeys.revoked(id))) return 'already-revoked';
  if (!context.signedBy(study.ownerKey)) return 'bad-signature';
  return state.put(revocationRecord, stateKeys.revoked(id), record);
}

/** Signed by the study's owner key. */
export const accessRevoke: TransactionType<AccessRevoke> = {
  read(value) {
    const { map, base } = readBody(value, 'access.revoke', ['studyId', 'ownerEpoch', 'target']);
    return {
      ...base,
      studyId: bytesField(map.studyId, 'studyId', 32),
      ownerEpoch: integerField(map.ownerEpoch, 'ownerEpoch', 0, counterMax),
      target: readTarget(map.target),
    };
  },
  signers: () => 1,
  apply(state, body, context) {
    const study = state.study(toStudyId(body.studyId));
    if (study === undefined) return 'unknown-study';
    if (body.ownerEpoch !== study.ownerEpoch) return 'wrong-owner-epoch';
    return 'upTo' in body.target
      ? revokeUpTo(state, body, study, body.target.upTo, context)
      : revokeOne(state, body, study, body.target.grantId, context);
  },
};
