/** Rules of access.grant and access.revoke. */
import { equalBytes } from '../encoding/bytes.ts';
import { grantId, toGrantId, toStudyId } from './ids.ts';
import { revocationSeqAheadMax } from './limits.ts';
import { isPrimeOrderKey } from './public-keys.ts';
import type { Outcome, RuleContext } from './rule.ts';
import type { LedgerSnapshot } from './state.ts';
import type { AccessGrant, AccessRevoke, StudyRecord } from './types.ts';

/** Signed by the study's owner key. Grants of a study come in an unbroken sequence. */
export function grantAccess(state: LedgerSnapshot, body: AccessGrant, context: RuleContext): Outcome {
  const studyKey = toStudyId(body.studyId);
  const study = state.study(studyKey);
  if (study === undefined) return 'unknown-study';
  if (body.ownerEpoch !== study.ownerEpoch) return 'wrong-owner-epoch';
  const id = grantId(body);
  if (body.seq <= study.revokedUpTo || state.revocationAhead(studyKey, id) !== undefined) return 'revoked';
  if (body.seq <= study.grantSeq) return 'seq-stale';
  if (body.seq > study.grantSeq + 1) return 'seq-gap';
  if (body.expiry <= context.time) return 'grant-expired';
  if (!context.signedBy(study.ownerKey)) return 'bad-signature';
  if (!isPrimeOrderKey(body.granteeKey)) return 'bad-key';
  return state
    .withGrant(id, {
      studyId: body.studyId,
      ownerEpoch: body.ownerEpoch,
      seq: body.seq,
      granteeKey: body.granteeKey,
      notBefore: body.notBefore,
      expiry: body.expiry,
      maxOpens: body.maxOpens,
      amendments: body.amendments,
      head: study.commitment,
      opens: 0,
      grantedAt: context.time,
    })
    .withStudy(studyKey, { ...study, grantSeq: body.seq });
}

/** Signed by the study's owner key. Holds for grants that have not arrived yet, too. */
export function revokeAccess(state: LedgerSnapshot, body: AccessRevoke, context: RuleContext): Outcome {
  const study = state.study(toStudyId(body.studyId));
  if (study === undefined) return 'unknown-study';
  if (body.ownerEpoch !== study.ownerEpoch) return 'wrong-owner-epoch';
  return 'upTo' in body.target
    ? revokeUpTo(state, body, study, body.target.upTo, context)
    : revokeOne(state, body, study, body.target.grantId, context);
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
  return state.withStudy(toStudyId(body.studyId), {
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
    if (state.revocationAhead(studyKey, id) !== undefined) return 'already-revoked';
    if (!context.signedBy(study.ownerKey)) return 'bad-signature';
    return state.withRevocationAhead(studyKey, id, record);
  }
  if (!equalBytes(grant.studyId, body.studyId)) return 'wrong-study';
  if (grant.seq <= study.revokedUpTo || state.revocation(id) !== undefined) return 'already-revoked';
  if (!context.signedBy(study.ownerKey)) return 'bad-signature';
  return state.withRevocation(id, record);
}
