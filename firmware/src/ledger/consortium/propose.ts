/** institution.propose: a member proposes what all are to vote on. */
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { hash } from '../../encoding/hash.ts';
import { encodeBody } from '../body-encoding.ts';
import { institutionIdField } from '../fields.ts';
import {
  keptProposalsMax,
  keptProposalsOfInstitutionMax,
  listedProposalsMax,
  openProposalsMax,
  openProposalsOfInstitutionMax,
} from '../limits.ts';
import { signingInstitution } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { actionRefusal, actionWork } from './action-effect.ts';
import { readAction, type ProposalAction } from './action.ts';
import { withVotes } from './decision.ts';
import { keptProposalsRecord, toProposalId, type KeptProposal, type ProposalId } from './proposal-record.ts';

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

/**
 * Room for one more of this institution, among those that are open and among all that are kept. Who has none finds it
 * whatever the others did: they shall not keep a member from proposing.
 */
function hasRoom(kept: readonly KeptProposal[], proposer: string): boolean {
  const own = kept.filter((proposal) => proposal.proposer === proposer);
  const open = kept.filter((proposal) => proposal.open);
  const ownOpen = own.filter((proposal) => proposal.open);
  return (
    kept.length < (own.length === 0 ? listedProposalsMax : keptProposalsMax) &&
    own.length < keptProposalsOfInstitutionMax &&
    (ownOpen.length === 0 || open.length < openProposalsMax) &&
    ownOpen.length < openProposalsOfInstitutionMax
  );
}

/** Without the records of those whose time has passed in every respect. */
function withoutPast(state: LedgerSnapshot, time: number): LedgerSnapshot {
  return state
    .keptProposals()
    .filter(({ expiry }) => time > expiry)
    .reduce((rest, { id }) => rest.delete(stateKeys.proposal(toProposalId(id))), state);
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
  work: ({ action }) => actionWork(action),
  apply(state, body, context) {
    const proposer = signingInstitution(state, body.proposer, context.time);
    if (typeof proposer === 'string') return proposer;
    const expiry = context.time + state.parameters().proposalMs;
    if (body.validUntil > expiry) return 'valid-too-long';
    const id = proposalDigest(body);
    if (state.has(stateKeys.proposal(toProposalId(id)))) return 'proposal-exists';
    const kept = state
      .keptProposals()
      .filter(({ expiry }) => context.time <= expiry)
      .map((entry) => ({ ...entry, open: entry.open && context.time < entry.expiry }));
    if (!hasRoom(kept, body.proposer)) return 'too-many-proposals';
    const refusal = actionRefusal(state, body.action, context);
    if (refusal !== undefined) return refusal;
    if (!context.signedBy(proposer.keys.transaction)) return 'bad-signature';
    const listed = withoutPast(state, context.time).put(keptProposalsRecord, stateKeys.proposals, [
      ...kept,
      { id, proposer: body.proposer, expiry, open: true },
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
