/**
 * Deciding the open proposals whose votes suffice since a member was removed: one in each block, so that a removal costs
 * no more than a vote does, however many it decides.
 */
import type { RuleContext } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { decided } from './decision.ts';
import { toProposalId } from './proposal-record.ts';
import { recountRecord, withWaiting } from './recount-record.ts';
import { verdictOf } from './verdict.ts';

/**
 * The state after the next of those that wait was decided, if its votes still suffice and its time has not passed. One
 * that cannot be done stays open, like one whose deciding vote is refused.
 */
export function recounted(
  state: LedgerSnapshot,
  context: Pick<RuleContext, 'time' | 'verify'>,
): LedgerSnapshot {
  const [first, ...rest] = state.get(recountRecord, stateKeys.recount) ?? [];
  if (first === undefined) return state;
  const next = withWaiting(state, rest);
  const proposal = next.proposal(toProposalId(first));
  if (proposal === undefined || proposal.outcome !== null || context.time >= proposal.expiry) return next;
  const verdict = verdictOf(proposal, next.memberIds().length);
  if (verdict === undefined) return next;
  const outcome = decided(next, first, proposal, verdict, context);
  return typeof outcome === 'string' ? next : outcome;
}
