/**
 * Counting the votes on open proposals again since a member was removed: some in each block, and at most one of them is
 * decided there, so that a removal costs no more than a vote does, however many are open and however many it decides.
 */
import { recountedAtOnceMax } from '../limits.ts';
import type { RuleContext } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { decided } from './decision.ts';
import { toProposalId } from './proposal-record.ts';
import { recountRecord, withWaiting } from './recount-record.ts';
import { verdictOf, type Verdict } from './verdict.ts';

type RecountContext = Pick<RuleContext, 'time' | 'verify'>;

/**
 * The state after a block's share of those that wait: those whose votes do not suffice wait no more, the first whose votes
 * do is decided, and what follows the next such one stays. One that cannot be done stays open, like one whose deciding
 * vote is refused.
 */
export function recounted(state: LedgerSnapshot, context: RecountContext): LedgerSnapshot {
  const waiting = state.get(recountRecord, stateKeys.recount);
  if (waiting === undefined) return state;
  const counted = waiting.slice(0, recountedAtOnceMax);
  const first = counted.findIndex((id) => verdictNow(state, id, context) !== undefined);
  const id = counted[first];
  if (id === undefined) return withWaiting(state, waiting.slice(counted.length));
  const second = counted.findIndex(
    (other, index) => index > first && verdictNow(state, other, context) !== undefined,
  );
  return withDecision(withWaiting(state, waiting.slice(second < 0 ? counted.length : second)), id, context);
}

/** What the votes decide now, if it is open still. */
function verdictNow(state: LedgerSnapshot, id: Uint8Array, { time }: RecountContext): Verdict | undefined {
  const proposalId = toProposalId(id);
  const proposal = state.proposal(proposalId);
  if (proposal === undefined || proposal.outcome !== null || time >= proposal.expiry) return undefined;
  return verdictOf(state.votes(proposalId), state.members());
}

function withDecision(state: LedgerSnapshot, id: Uint8Array, context: RecountContext): LedgerSnapshot {
  const proposal = state.proposal(toProposalId(id));
  const verdict = verdictNow(state, id, context);
  if (proposal === undefined || verdict === undefined) return state;
  const outcome = decided(state, id, proposal, verdict, context);
  return typeof outcome === 'string' ? state : outcome;
}
