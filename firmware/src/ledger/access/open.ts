/** access.open: the first half of a receipt, final before the first byte leaves. */
import { equalBytes } from '../../encoding/bytes.ts';
import { bytesField, institutionIdField, integerField } from '../fields.ts';
import { idBytes, openId, toGrantId, toStudyId } from '../ids.ts';
import { grantOpensMax } from '../limits.ts';
import { signingInstitution } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import { studyRecord } from '../studies/study-record.ts';
import { grantRecord } from './grant-record.ts';
import { openNumberRecord, openRecord } from './open-record.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';

export interface AccessOpen extends BodyBase {
  readonly type: 'access.open';
  readonly source: string;
  readonly studyId: Uint8Array;
  readonly grantId: Uint8Array;
  /** Opens under this grant so far + 1. */
  readonly openNo: number;
  /** The commitment that the source will stream: the study's current one, or the grant's. */
  readonly head: Uint8Array;
}

/** Signed by the grantee's one-time key and the source, on a grant that stands now and is not used up. */
export const accessOpen: TransactionType<AccessOpen> = {
  read(value) {
    const { map, base } = readBody(value, 'access.open', ['source', 'studyId', 'grantId', 'openNo', 'head']);
    return {
      ...base,
      source: institutionIdField(map.source, 'source'),
      studyId: bytesField(map.studyId, 'studyId', 32),
      grantId: bytesField(map.grantId, 'grantId', 32),
      openNo: integerField(map.openNo, 'openNo', 1, grantOpensMax),
      head: bytesField(map.head, 'head', 32),
    };
  },
  signers: () => 2,
  apply(state, body, context) {
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
      .put(openRecord, stateKeys.open(studyKey, number), {
        openId: idBytes(id),
        grantId: body.grantId,
        openNo: body.openNo,
        head: body.head,
        openedAt: context.time,
        closed: null,
      })
      .put(openNumberRecord, stateKeys.openNumber(id), { studyId: body.studyId, number })
      .put(grantRecord, stateKeys.grant(grantKey), { ...grant, opens: grant.opens + 1 })
      .put(studyRecord, stateKeys.study(studyKey), { ...study, opens: number });
  },
};
