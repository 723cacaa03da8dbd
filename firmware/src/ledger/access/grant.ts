/** access.grant: the owner lets one institution open a study; the ledger shows neither which nor why. */
import { basisId } from '../ids.ts';
import { isPrimeOrderKey } from '../public-keys.ts';
import { readBodyWithLeaf } from '../studies/leaf.ts';
import type { TransactionType } from '../transaction-type.ts';
import { withBasis } from './basis.ts';
import {
  grantedBasis,
  grantedStudy,
  grantedTermNames,
  readGrantedTerms,
  type GrantedTerms,
} from './granted-terms.ts';

export interface AccessGrant extends GrantedTerms {
  readonly type: 'access.grant';
}

/** Signed by the study's owner key. Grants of a study come in an unbroken sequence. */
export const accessGrant: TransactionType<AccessGrant> = {
  read(value) {
    const { map, base } = readBodyWithLeaf(value, 'access.grant', grantedTermNames);
    return { ...base, ...readGrantedTerms(map) };
  },
  signers: () => 1,
  work: () => ({ keys: 1, records: 2 }),
  apply(state, body, context) {
    const id = basisId(body);
    const study = grantedStudy(state, body, id, 'grant', context.time);
    if (typeof study === 'string') return study;
    if (!context.signedBy(study.ownerKey)) return 'bad-signature';
    if (!isPrimeOrderKey(body.granteeKey)) return 'bad-key';
    const basis = grantedBasis(body, 'grant', study, context.time);
    return withBasis(state, id, { ...study, grantSeq: body.seq, grants: study.grants + 1 }, basis);
  },
};
