/** Counting the votes on a proposal. */
import { equalBytes } from '../../encoding/bytes.ts';
import type { Outcome, RuleContext } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { actionEffect } from './action-effect.ts';
import { keptProposalsRecord, proposalRecord, toProposalId, type ProposalRecord } from './proposal-record.ts';
import { quorumOf } from './quorum.ts';

/**
 * The state with these votes on the proposal, and with its effect if they decide it: against the quorum of the members of
 * now, of whom alone there are votes (words.ts). A proposal that has the votes and
 * cannot be done any more refuses the vote that would decide it, with the reason why it cannot.
 */
export function withVotes(
  state: LedgerSnapshot,
  id: Uint8Array,
  voted: ProposalRecord,
  context: RuleContext,
): Outcome {
  const members = state.institutions().length;
  const quorum = quorumOf(members);
  const passed = voted.approvedBy.length >= quorum;
  // So many against that the others are no quorum.
  const failed = members - voted.rejectedBy.length < quorum;
  if (!passed && !failed) return put(state, id, voted);
  const decided = put(state, id, { ...voted, outcome: { passed, at: context.time } });
  const closed = decided.put(
    keptProposalsRecord,
    stateKeys.proposals,
    decided.keptProposals().map((entry) => (equalBytes(entry.id, id) ? { ...entry, open: false } : entry)),
  );
  return passed ? actionEffect(closed, voted.action, context) : closed;
}

function put(state: LedgerSnapshot, id: Uint8Array, record: ProposalRecord): LedgerSnapshot {
  return state.put(proposalRecord, stateKeys.proposal(toProposalId(id)), record);
}
