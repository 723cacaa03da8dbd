/** institution.vote: a member's one vote on an open proposal. */
import { booleanField, bytesField, institutionIdField } from '../fields.ts';
import { institutionsMax } from '../limits.ts';
import { signingInstitution } from '../rule.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { withVotes } from './decision.ts';
import { exclusiveKeysCount } from './key-holders.ts';
import { toProposalId } from './proposal-record.ts';

export interface InstitutionVote extends BodyBase {
  readonly type: 'institution.vote';
  readonly institution: string;
  readonly proposalId: Uint8Array;
  readonly approve: boolean;
}

/** Signed by the institution. */
export const institutionVote: TransactionType<InstitutionVote> = {
  read(value) {
    const { map, base } = readBody(value, 'institution.vote', ['institution', 'proposalId', 'approve']);
    return {
      ...base,
      institution: institutionIdField(map.institution, 'institution'),
      proposalId: bytesField(map.proposalId, 'proposalId', 32),
      approve: booleanField(map.approve, 'approve'),
    };
  },
  signers: () => 1,
  // One that decides an admission judges the certificate anew, and takes the keys over that were met when it was proposed.
  // Each one reads and writes the list of those who have voted, which may be all members.
  work: ({ approve }) => ({
    entries: institutionsMax,
    ...(approve ? { identitySignatures: 1, records: 4 + exclusiveKeysCount } : {}),
  }),
  apply(state, body, context) {
    const voter = signingInstitution(state, body.institution, context.time);
    if (typeof voter === 'string') return voter;
    const proposal = state.proposal(toProposalId(body.proposalId));
    if (proposal === undefined) return 'unknown-proposal';
    if (proposal.outcome !== null || context.time >= proposal.expiry) return 'proposal-closed';
    const { approvedBy, rejectedBy } = proposal;
    if (approvedBy.includes(voter.id) || rejectedBy.includes(voter.id)) return 'already-voted';
    if (!context.signedBy(voter.keys.transaction)) return 'bad-signature';
    const voted = body.approve
      ? { ...proposal, approvedBy: [...approvedBy, voter.id] }
      : { ...proposal, rejectedBy: [...rejectedBy, voter.id] };
    return withVotes(state, body.proposalId, voted, context);
  },
};
