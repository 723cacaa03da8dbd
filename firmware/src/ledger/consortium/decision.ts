/** Counting the votes on a proposal. */
import { equalBytes } from '../../encoding/bytes.ts';
import type { Outcome, RuleContext } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { actionEffect } from './action-effect.ts';
import { openProposalsRecord, proposalRecord, toProposalId, type ProposalRecord } from './proposal-record.ts';
import { verdictOf, type Verdict } from './verdict.ts';
import { votesRecord, type VotesRecord } from './votes-record.ts';

/**
 * The state with these votes on the proposal, and with its effect if they decide it. A proposal that has the votes and
 * cannot be done any more refuses the vote that would decide it, with the reason why it cannot.
 */
export function withVotes(
  state: LedgerSnapshot,
  id: Uint8Array,
  proposal: ProposalRecord,
  votes: VotesRecord,
  context: RuleContext,
): Outcome {
  const voted = state.put(votesRecord, stateKeys.votes(toProposalId(id)), votes);
  const verdict = verdictOf(votes, state.members());
  return verdict === undefined ? voted : decided(voted, id, proposal, verdict, context);
}

/** The state in which the proposal is decided and, if it passed, done; or why it cannot be done. */
export function decided(
  state: LedgerSnapshot,
  id: Uint8Array,
  proposal: ProposalRecord,
  verdict: Verdict,
  context: Pick<RuleContext, 'time' | 'verify'>,
): Outcome {
  const passed = verdict === 'passed';
  const outcome = { passed, at: context.time };
  const closed = state
    .put(proposalRecord, stateKeys.proposal(toProposalId(id)), { ...proposal, outcome })
    .put(
      openProposalsRecord,
      stateKeys.openProposals,
      state.openProposals().filter((other) => !equalBytes(other, id)),
    );
  return passed ? actionEffect(closed, proposal.action, context) : closed;
}
