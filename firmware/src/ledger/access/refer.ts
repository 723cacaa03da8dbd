/**
 * access.refer: the source lets one institution open a study because it sends the patient there for treatment, or asks
 * its opinion; also of a patient whom nobody could identify yet. The ledger shows neither which institution nor why.
 */
import { institutionIdField } from '../fields.ts';
import { basisId, toStudyId } from '../ids.ts';
import { isPrimeOrderKey } from '../public-keys.ts';
import { withFirstUse, withRecords } from '../records-of-epoch.ts';
import { signingInstitution } from '../rule.ts';
import { readBodyWithLeaf } from '../studies/leaf.ts';
import type { TransactionType } from '../transaction-type.ts';
import { recordsOfBasis, withBasis } from './basis.ts';
import {
  grantedBasis,
  grantedStudy,
  grantedTermNames,
  readGrantedTerms,
  type GrantedTerms,
} from './granted-terms.ts';

export interface AccessRefer extends GrantedTerms {
  readonly type: 'access.refer';
  readonly source: string;
}

/** Signed by the source. Referrals of a study come in an unbroken sequence of their own. */
export const accessRefer: TransactionType<AccessRefer> = {
  read(value) {
    const { map, base } = readBodyWithLeaf(value, 'access.refer', ['source', ...grantedTermNames]);
    return { ...base, source: institutionIdField(map.source, 'source'), ...readGrantedTerms(map) };
  },
  signers: () => 1,
  work: () => ({ keys: 1, records: 3 }),
  apply(state, body, context) {
    const source = signingInstitution(state, body.source, context.time);
    if (typeof source === 'string') return source;
    const id = basisId(body);
    const study = grantedStudy(state, body, id, 'referral', context.time);
    if (typeof study === 'string') return study;
    if (study.source !== body.source) return 'not-the-source';
    const used = withFirstUse(state, source.id, toStudyId(body.studyId));
    if (typeof used === 'string') return used;
    const counted = withRecords(used, source.id, { access: recordsOfBasis });
    if (typeof counted === 'string') return counted;
    if (!context.signedBy(source.keys.transaction)) return 'bad-signature';
    if (!isPrimeOrderKey(body.granteeKey)) return 'bad-key';
    const basis = grantedBasis(body, 'referral', study, context.time);
    return withBasis(counted, id, { ...study, referralSeq: body.seq }, basis);
  },
};
