/** What the votes on a proposal decide. */
import type { ProposalRecord } from './proposal-record.ts';
import { quorumOf } from './quorum.ts';

export type Verdict = 'passed' | 'failed';

/**
 * Against the quorum of so many members, of whom alone there are votes (words.ts). Undefined while members who have not
 * voted can still decide it.
 */
export function verdictOf(
  { approvedBy, rejectedBy }: Pick<ProposalRecord, 'approvedBy' | 'rejectedBy'>,
  members: number,
): Verdict | undefined {
  const quorum = quorumOf(members);
  if (approvedBy.length >= quorum) return 'passed';
  // So many against that the others are no quorum.
  return members - rejectedBy.length < quorum ? 'failed' : undefined;
}
