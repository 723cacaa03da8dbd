/** What the votes on a proposal decide. */
import { countOf, type MembersRecord } from './members-record.ts';
import { quorumOf } from './quorum.ts';
import type { VotesRecord } from './votes-record.ts';

export type Verdict = 'passed' | 'failed';

/**
 * Against the quorum of these members, whose votes alone count. Undefined while those who have not voted can still decide it.
 */
export function verdictOf(
  { approving, rejecting }: VotesRecord,
  members: MembersRecord,
): Verdict | undefined {
  const quorum = quorumOf(members.ids.length);
  if (countOf(members, approving) >= quorum) return 'passed';
  // So many against that the others are no quorum.
  return members.ids.length - countOf(members, rejecting) < quorum ? 'failed' : undefined;
}
