/** institution.propose: a member proposes what all are to vote on. */
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { hash } from '../../encoding/hash.ts';
import { encodeBody } from '../body-encoding.ts';
import { institutionIdField } from '../fields.ts';
import { openProposalsMax, openProposalsOfInstitutionMax } from '../limits.ts';
import { signingInstitution } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { actionEffect } from './action-effect.ts';
import { readAction, type ProposalAction } from './action.ts';
import { withVotes } from './decision.ts';
import { openProposalsRecord, toProposalId, type ProposalId } from './proposal-record.ts';

export interface InstitutionPropose extends BodyBase {
  readonly type: 'institution.propose';
  readonly proposer: string;
  readonly action: ProposalAction;
}

/** H("proposal", canonical body): the same action proposed twice is two proposals if anything else differs. */
export function proposalId(body: InstitutionPropose): ProposalId {
  return toProposalId(proposalDigest(body));
}

function proposalDigest(body: InstitutionPropose): Uint8Array {
  return hash('proposal', encodeBody(body));
}

/** Signed by the proposer, whose approval it is at the same time. What cannot be done cannot be proposed. */
export const institutionPropose: TransactionType<InstitutionPropose> = {
  read(value: CborValue) {
    const { map, base } = readBody(value, 'institution.propose', ['proposer', 'action']);
    return {
      ...base,
      proposer: institutionIdField(map.proposer, 'proposer'),
      action: readAction(map.action, 'action'),
    };
  },
  signers: () => 1,
  apply(state, body, context) {
    const proposer = signingInstitution(state, body.proposer, context.time);
    if (typeof proposer === 'string') return proposer;
    const id = proposalDigest(body);
    if (state.has(stateKeys.proposal(toProposalId(id)))) return 'proposal-exists';
    const open = state.openProposals().filter(({ expiry }) => context.time < expiry);
    const own = open.filter((proposal) => proposal.proposer === body.proposer);
    if (own.length >= openProposalsOfInstitutionMax || open.length >= openProposalsMax) {
      return 'too-many-proposals';
    }
    const possible = actionEffect(state, body.action, context);
    if (typeof possible === 'string') return possible;
    if (!context.signedBy(proposer.keys.transaction)) return 'bad-signature';
    const expiry = context.time + state.parameters().proposalMs;
    const listed = state.put(openProposalsRecord, stateKeys.proposals, [
      ...open,
      { id, proposer: body.proposer, expiry },
    ]);
    const proposal = {
      proposer: body.proposer,
      action: body.action,
      proposedAt: context.time,
      expiry,
      approvedBy: [body.proposer],
      rejectedBy: [],
      outcome: null,
    };
    return withVotes(listed, id, proposal, context);
  },
};
