/**
 * What a member said stands while it is one: removed, it takes its votes on open proposals, its acceptances of releases that
 * are not accepted yet and its signal for a format along. Admitted again, it may say it again; nothing counts by itself.
 */
import { formatsRecord } from '../formats/formats-record.ts';
import { releaseRecord, toReleaseDigest } from '../releases/release-record.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { proposalRecord } from './proposal-record.ts';

/** The state without what this institution said, where something is still to be decided by it. */
export function withoutWordsOf(state: LedgerSnapshot, institution: string): LedgerSnapshot {
  return withoutSignal(withoutAcceptances(withoutVotes(state, institution), institution), institution);
}

function withoutVotes(state: LedgerSnapshot, institution: string): LedgerSnapshot {
  let after = state;
  for (const { id, proposal } of state.proposals()) {
    const { approvedBy, rejectedBy } = proposal;
    if (!approvedBy.includes(institution) && !rejectedBy.includes(institution)) continue;
    after = after.put(proposalRecord, stateKeys.proposal(id), {
      ...proposal,
      approvedBy: approvedBy.filter((voter) => voter !== institution),
      rejectedBy: rejectedBy.filter((voter) => voter !== institution),
    });
  }
  return after;
}

function withoutAcceptances(state: LedgerSnapshot, institution: string): LedgerSnapshot {
  let after = state;
  for (const digest of state.releases().map(toReleaseDigest)) {
    const release = state.release(digest);
    if (release?.acceptedAt !== null || !release.acceptedBy.includes(institution)) continue;
    after = after
      .put(releaseRecord, stateKeys.release(digest), {
        ...release,
        acceptedBy: release.acceptedBy.filter((id) => id !== institution),
      })
      .delete(stateKeys.releaseAcceptance(digest, institution));
  }
  return after;
}

function withoutSignal(state: LedgerSnapshot, institution: string): LedgerSnapshot {
  const formats = state.formats();
  const signals = formats.signals.filter((signal) => signal.institution !== institution);
  if (signals.length === formats.signals.length) return state;
  return state.put(formatsRecord, stateKeys.formats, { ...formats, signals });
}
