/** Counting the votes on a proposal. */
import { equalBytes } from '../../encoding/bytes.ts';
import type { Outcome, RuleContext } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { actionEffect } from './action-effect.ts';
import { keptProposalsRecord, proposalRecord, toProposalId, type ProposalRecord } from './proposal-record.ts';
import { verdictOf, type Verdict } from './verdict.ts';

/**
 * The state with these votes on the proposal, and with its effect if they decide it. A proposal that has the votes and
 * cannot be done any more refuses the vote that would decide it, with the reason why it cannot.
 */
export function withVotes(
  state: LedgerSnapshot,
  id: Uint8Array,
  voted: ProposalRecord,
  context: RuleContext,
): Outcome {
  const verdict = verdictOf(voted, state.memberIds().length);
  return verdict === undefined ? put(state, id, voted) : decided(state, id, voted, verdict, context);
}

/** The state in which the proposal is decided and, if it passed, done; or why it cannot be done. */
export function decided(
  state: LedgerSnapshot,
  id: Uint8Array,
  voted: ProposalRecord,
  verdict: Verdict,
  context: Pick<RuleContext, 'time' | 'verify'>,
): Outcome {
  const passed = verdict === 'passed';
  const withOutcome = put(state, id, { ...voted, outcome: { passed, at: context.time } });
  const closed = withOutcome.put(
    keptProposalsRecord,
    stateKeys.proposals,
    withOutcome
      .keptProposals()
      .map((entry) => (equalBytes(entry.id, id) ? { ...entry, open: false } : entry)),
  );
  return passed ? actionEffect(closed, voted.action, context) : closed;
}

function put(state: LedgerSnapshot, id: Uint8Array, record: ProposalRecord): LedgerSnapshot {
  return state.put(proposalRecord, stateKeys.proposal(toProposalId(id)), record);
}
