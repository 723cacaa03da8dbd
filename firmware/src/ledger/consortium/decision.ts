/** Counting the votes on a proposal. */
import { equalBytes } from '../../encoding/bytes.ts';
import type { Outcome, RuleContext } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { actionEffect } from './action-effect.ts';
import { openProposalsRecord, proposalRecord, toProposalId, type ProposalRecord } from './proposal-record.ts';
import { quorumOf } from './quorum.ts';

/**
 * The state with these votes on the proposal, and with its effect if they decide it. Only votes of present members count,
 * against the quorum of present members: one that was removed meanwhile has no say. A proposal that has the votes and
 * cannot be done any more refuses the vote that would decide it, with the reason why it cannot.
 */
export function withVotes(
  state: LedgerSnapshot,
  id: Uint8Array,
  voted: ProposalRecord,
  context: RuleContext,
): Outcome {
  const members = state.institutions().length;
  const count = (ids: readonly string[]): number =>
    ids.filter((voter) => state.institution(voter) !== undefined).length;
  const quorum = quorumOf(members);
  const passed = count(voted.approvedBy) >= quorum;
  // So many against that the others are no quorum.
  const failed = members - count(voted.rejectedBy) < quorum;
  if (!passed && !failed) return put(state, id, voted);
  const decided = put(state, id, { ...voted, outcome: { passed, at: context.time } });
  const closed = decided.put(
    openProposalsRecord,
    stateKeys.proposals,
    decided.openProposals().filter((open) => !equalBytes(open.id, id)),
  );
  return passed ? actionEffect(closed, voted.action, context) : closed;
}

function put(state: LedgerSnapshot, id: Uint8Array, record: ProposalRecord): LedgerSnapshot {
  return state.put(proposalRecord, stateKeys.proposal(toProposalId(id)), record);
}
