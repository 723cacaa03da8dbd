/** When a release counts as accepted: with the acceptances of n − f of the members that there are now. */
import { quorumOf } from '../consortium/quorum.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { releaseRecord, toReleaseDigest, type ReleaseRecord } from './release-record.ts';

/**
 * The release, accepted at this block time if so many members suffice. All acceptances are members': who is removed takes
 * its own along (consortium/words.ts). What was accepted once stays so.
 */
export function withAcceptance(release: ReleaseRecord, members: number, time: number): ReleaseRecord {
  const isAccepted = release.acceptedBy.length >= quorumOf(members);
  return { ...release, acceptedAt: release.acceptedAt ?? (isAccepted ? time : null) };
}

/**
 * The state in which all releases are accepted whose acceptances suffice: fewer members need fewer, and nobody who has
 * accepted one does so again. At most `releasesListedMax` are read.
 */
export function withAcceptedReleases(state: LedgerSnapshot, time: number): LedgerSnapshot {
  const members = state.memberIds().length;
  let after = state;
  for (const digest of state.releases().map(toReleaseDigest)) {
    const release = state.release(digest);
    if (release?.acceptedAt !== null) continue;
    const judged = withAcceptance(release, members, time);
    if (judged.acceptedAt !== null) after = after.put(releaseRecord, stateKeys.release(digest), judged);
  }
  return after;
}
