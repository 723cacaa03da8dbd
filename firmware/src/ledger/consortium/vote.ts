/** institution.vote: a member's one vote on an open proposal. */
import { booleanField, bytesField, institutionIdField } from '../fields.ts';
import { listedProposalsMax } from '../limits.ts';
import { signingInstitution } from '../rule.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { withVotes } from './decision.ts';
import { exclusiveKeysCount } from './key-holders.ts';
import { seatOf } from './members-record.ts';
import { toProposalId } from './proposal-record.ts';
import { hasVoted, withVote } from './votes-record.ts';

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
  // Votes, outcome and list of open proposals. One that decides an admission judges the certificate anew, and takes the keys
  // over that were met when it was proposed; one that decides a removal gives all open proposals to be counted again.
  work: ({ approve }) =>
    approve
      ? { identitySignatures: 1, records: 4 + exclusiveKeysCount, entries: listedProposalsMax }
      : { records: 2 },
  apply(state, body, context) {
    const voter = signingInstitution(state, body.institution, context.time);
    if (typeof voter === 'string') return voter;
    const id = toProposalId(body.proposalId);
    const proposal = state.proposal(id);
    if (proposal === undefined) return 'unknown-proposal';
    if (proposal.outcome !== null || context.time >= proposal.expiry) return 'proposal-closed';
    const seat = seatOf(state.members(), voter.id);
    const votes = state.votes(id);
    if (hasVoted(votes, seat)) return 'already-voted';
    if (!context.signedBy(voter.keys.transaction)) return 'bad-signature';
    return withVotes(state, body.proposalId, proposal, withVote(votes, seat, body.approve), context);
  },
};
