/** Rules of access.open and access.close: the receipt of one release, in two phases. */
import { equalBytes } from '../encoding/bytes.ts';
import { idBytes, openId, toGrantId, toOpenId, toStudyId } from './ids.ts';
import { signingInstitution, type Outcome, type RuleContext } from './rule.ts';
import type { LedgerSnapshot } from './state.ts';
import type { AccessClose, AccessOpen } from './types.ts';

/** Signed by the grantee's one-time key and the source, on a grant that stands now and is not used up. */
export function openAccess(state: LedgerSnapshot, body: AccessOpen, context: RuleContext): Outcome {
  const source = signingInstitution(state, body.source, context.time);
  if (typeof source === 'string') return source;
  const studyKey = toStudyId(body.studyId);
  const study = state.study(studyKey);
  if (study === undefined) return 'unknown-study';
  if (study.source !== body.source) return 'not-the-source';
  const grantKey = toGrantId(body.grantId);
  const grant = state.grant(grantKey);
  if (grant === undefined) return 'unknown-grant';
  if (!equalBytes(grant.studyId, body.studyId)) return 'wrong-study';
  if (grant.ownerEpoch !== study.ownerEpoch) return 'wrong-owner-epoch';
  if (!state.grantStands(grantKey)) return 'revoked';
  if (context.time < grant.notBefore) return 'grant-not-yet-valid';
  if (context.time >= grant.expiry) return 'grant-expired';
  if (grant.opens >= grant.maxOpens) return 'opens-exhausted';
  if (body.openNo <= grant.opens) return 'open-no-stale';
  if (body.openNo > grant.opens + 1) return 'open-no-gap';
  if (!equalBytes(body.head, grant.amendments ? study.commitment : grant.head)) return 'wrong-head';
  if (!context.signedBy(grant.granteeKey, source.keys.transaction)) return 'bad-signature';
  const id = openId(body);
  const number = study.opens + 1;
  return state
    .withOpen(studyKey, number, {
      openId: idBytes(id),
      grantId: body.grantId,
      openNo: body.openNo,
      head: body.head,
      openedAt: context.time,
      closed: null,
    })
    .withOpenNumber(id, { studyId: body.studyId, number })
    .withGrant(grantKey, { ...grant, opens: grant.opens + 1 })
    .withStudy(studyKey, { ...study, opens: number });
}

/** Signed by the grantee's one-time key and the source, once. Neither expiry nor revocation stops it: it is the truth. */
export function closeAccess(state: LedgerSnapshot, body: AccessClose, context: RuleContext): Outcome {
  const source = signingInstitution(state, body.source, context.time);
  if (typeof source === 'string') return source;
  const studyKey = toStudyId(body.studyId);
  const study = state.study(studyKey);
  if (study === undefined) return 'unknown-study';
  if (study.source !== body.source) return 'not-the-source';
  const place = state.openNumber(toOpenId(body.openId));
  if (place === undefined) return 'unknown-open';
  if (!equalBytes(place.studyId, body.studyId)) return 'wrong-study';
  const open = state.open(studyKey, place.number);
  if (open === undefined) throw new Error(`open ${place.number} of study ${studyKey} is indexed but missing`);
  if (open.closed !== null) return 'already-closed';
  const grant = state.grant(toGrantId(open.grantId));
  if (grant === undefined) throw new Error(`open ${place.number} of study ${studyKey} has no grant`);
  if (!context.signedBy(grant.granteeKey, source.keys.transaction)) return 'bad-signature';
  return state.withOpen(studyKey, place.number, {
    ...open,
    closed: { digest: body.digest, sizeBucket: body.sizeBucket, at: context.time },
  });
}
