/** access.grant: the owner lets one institution open a study; the ledger shows neither which nor why. */
import { basisId } from '../ids.ts';
import { grantsOfStudyFree } from '../limits.ts';
import { isPrimeOrderKey } from '../public-keys.ts';
import { withRecords } from '../records-of-epoch.ts';
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
  // A study has no more grants than the number of its last.
  work: ({ seq }) => ({ keys: 1, records: seq > grantsOfStudyFree ? 3 : 2 }),
  apply(state, body, context) {
    const id = basisId(body);
    const study = grantedStudy(state, body, id, 'grant', context.time);
    if (typeof study === 'string') return study;
    const counted =
      study.grants < grantsOfStudyFree
        ? state
        : withRecords(state, study.source, { furtherGrants: recordsOfBasis });
    if (typeof counted === 'string') return counted;
    if (!context.signedBy(study.ownerKey)) return 'bad-signature';
    if (!isPrimeOrderKey(body.granteeKey)) return 'bad-key';
    const basis = grantedBasis(body, 'grant', study, context.time);
    return withBasis(counted, id, { ...study, grantSeq: body.seq, grants: study.grants + 1 }, basis);
  },
};
