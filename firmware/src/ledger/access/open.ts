/** access.open: the first half of a receipt, final before the first byte leaves. */
import { equalBytes } from '../../encoding/bytes.ts';
import { bytesField, institutionIdField, integerField } from '../fields.ts';
import { idBytes, openId, toBasisId, toStudyId } from '../ids.ts';
import { grantOpensMax } from '../limits.ts';
import { withRecords } from '../records-of-epoch.ts';
import { signingInstitution } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import { studyRecord } from '../studies/study-record.ts';
import { basisRecord } from './basis-record.ts';
import { basisRefusal } from './basis.ts';
import { openNumberRecord, openRecord } from './open-record.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';

export interface AccessOpen extends BodyBase {
  readonly type: 'access.open';
  readonly source: string;
  readonly studyId: Uint8Array;
  /** The grant, referral or emergency under which it is opened. */
  readonly basisId: Uint8Array;
  /** Opens under this basis so far + 1. */
  readonly openNo: number;
  /** The commitment that the source will stream: the study's current one, or the one that the basis began with. */
  readonly head: Uint8Array;
}

/** The receipt, and its number. */
const recordsOfOpen = 2;

/** Signed by the grantee's one-time key and the source, on a basis that stands now and is not used up. */
export const accessOpen: TransactionType<AccessOpen> = {
  read(value) {
    const { map, base } = readBody(value, 'access.open', ['source', 'studyId', 'basisId', 'openNo', 'head']);
    return {
      ...base,
      source: institutionIdField(map.source, 'source'),
      studyId: bytesField(map.studyId, 'studyId', 32),
      basisId: bytesField(map.basisId, 'basisId', 32),
      openNo: integerField(map.openNo, 'openNo', 1, grantOpensMax),
      head: bytesField(map.head, 'head', 32),
    };
  },
  signers: () => 2,
  work: () => ({ records: 4 }),
  apply(state, body, context) {
    const source = signingInstitution(state, body.source, context.time);
    if (typeof source === 'string') return source;
    const studyKey = toStudyId(body.studyId);
    const study = state.study(studyKey);
    if (study === undefined) return 'unknown-study';
    if (study.source !== body.source) return 'not-the-source';
    const basisKey = toBasisId(body.basisId);
    const basis = state.basis(basisKey);
    if (basis === undefined) return 'unknown-basis';
    if (!equalBytes(basis.studyId, body.studyId)) return 'wrong-study';
    const refusal = basisRefusal(basis, study, state.has(stateKeys.revoked(basisKey)), context.time);
    if (refusal !== undefined) return refusal;
    if (basis.opens >= basis.maxOpens) return 'opens-exhausted';
    if (body.openNo <= basis.opens) return 'open-no-stale';
    if (body.openNo > basis.opens + 1) return 'open-no-gap';
    if (!equalBytes(body.head, basis.amendments ? study.commitment : basis.head)) return 'wrong-head';
    const { emergency } = basis;
    // A source that has used up its own shall not keep anybody from an emergency.
    const counted =
      emergency === null
        ? withRecords(state, source.id, { access: recordsOfOpen })
        : withRecords(state, emergency.institution, { emergencies: recordsOfOpen });
    if (typeof counted === 'string') return counted;
    if (!context.signedBy(basis.granteeKey, source.keys.transaction)) return 'bad-signature';
    const id = openId(body);
    const number = study.opens + 1;
    return counted
      .put(openRecord, stateKeys.open(studyKey, number), {
        openId: idBytes(id),
        basisId: body.basisId,
        openNo: body.openNo,
        head: body.head,
        openedAt: context.time,
        closed: null,
      })
      .put(openNumberRecord, stateKeys.openNumber(id), { studyId: body.studyId, number })
      .put(basisRecord, stateKeys.basis(basisKey), { ...basis, opens: basis.opens + 1 })
      .put(studyRecord, stateKeys.study(studyKey), { ...study, opens: number });
  },
};
