/** When a release counts as accepted: with the acceptances of n − f of the members that there are now. */
import { countOf, type MembersRecord } from '../consortium/members-record.ts';
import { quorumOf } from '../consortium/quorum.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { releaseRecord, toReleaseDigest, type ReleaseRecord } from './release-record.ts';

/** The release, accepted at this block time if so many of these members suffice. What was accepted once stays so. */
export function withAcceptance(release: ReleaseRecord, members: MembersRecord, time: number): ReleaseRecord {
  const isAccepted = countOf(members, release.accepting) >= quorumOf(members.ids.length);
  return { ...release, acceptedAt: release.acceptedAt ?? (isAccepted ? time : null) };
}

/**
 * The state in which all releases are accepted whose acceptances suffice: fewer members need fewer, and nobody who has
 * accepted one does so again. At most `releasesListedMax` are read.
 */
export function withAcceptedReleases(state: LedgerSnapshot, time: number): LedgerSnapshot {
  const members = state.members();
  let after = state;
  for (const digest of state.releases().map(toReleaseDigest)) {
    const release = state.release(digest);
    if (release?.acceptedAt !== null) continue;
    const judged = withAcceptance(release, members, time);
    if (judged.acceptedAt !== null) after = after.put(releaseRecord, stateKeys.release(digest), judged);
  }
  return after;
}
