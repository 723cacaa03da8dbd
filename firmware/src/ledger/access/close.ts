/** access.close: the second half of a receipt, which says what arrived. */
import { equalBytes } from '../../encoding/bytes.ts';
import { bytesField, institutionIdField, integerField } from '../fields.ts';
import { toBasisId, toOpenId, toStudyId } from '../ids.ts';
import { signingInstitution } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import { openNumberRecord, openRecord } from './open-record.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';

export interface AccessClose extends BodyBase {
  readonly type: 'access.close';
  readonly source: string;
  readonly studyId: Uint8Array;
  readonly openId: Uint8Array;
  /** H("close", t_g ‖ openId ‖ commitment received): opened by source, grantee and owner alone. */
  readonly digest: Uint8Array;
  /** ⌈log2(bytes)⌉, so that the ledger shows no exact size. */
  readonly sizeBucket: number;
}

/** Signed by the grantee's one-time key and the source, once. Neither expiry nor revocation stops it: it is the truth. */
export const accessClose: TransactionType<AccessClose> = {
  read(value) {
    const { map, base } = readBody(value, 'access.close', [
      'source',
      'studyId',
      'openId',
      'digest',
      'sizeBucket',
    ]);
    return {
      ...base,
      source: institutionIdField(map.source, 'source'),
      studyId: bytesField(map.studyId, 'studyId', 32),
      openId: bytesField(map.openId, 'openId', 32),
      digest: bytesField(map.digest, 'digest', 32),
      sizeBucket: integerField(map.sizeBucket, 'sizeBucket', 0, 63),
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
    const place = state.get(openNumberRecord, stateKeys.openNumber(toOpenId(body.openId)));
    if (place === undefined) return 'unknown-open';
    if (!equalBytes(place.studyId, body.studyId)) return 'wrong-study';
    const open = state.open(studyKey, place.number);
    if (open === undefined)
      throw new Error(`open ${place.number} of study ${studyKey} is indexed but missing`);
    if (open.closed !== null) return 'already-closed';
    const basis = state.basis(toBasisId(open.basisId));
    if (basis === undefined) throw new Error(`open ${place.number} of study ${studyKey} has no basis`);
    if (!context.signedBy(basis.granteeKey, source.keys.transaction)) return 'bad-signature';
    return state.put(openRecord, stateKeys.open(studyKey, place.number), {
      ...open,
      closed: { digest: body.digest, sizeBucket: body.sizeBucket, at: context.time },
    });
  },
};
