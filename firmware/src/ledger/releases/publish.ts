/** release.publish: the vendor names a firmware release. Nothing is installed by it. */
import { signedByQuorum, signersField } from '../consortium/key-quorum.ts';
import { noSeats } from '../consortium/seats.ts';
import { bytesField } from '../fields.ts';
import { releasesListedMax } from '../limits.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { acceptancesRecord, noAcceptances } from './acceptances-record.ts';
import { formerOriginsRecord, withDropped } from './former-origins-record.ts';
import { isNewer, releaseRecord, releasesRecord, toReleaseDigest, versionField } from './release-record.ts';

export interface ReleasePublish extends BodyBase {
  readonly type: 'release.publish';
  readonly version: string;
  /** Of the image, 32 bytes. */
  readonly digest: Uint8Array;
  /** SHA-256 of the update's signed metadata. */
  readonly metadataHash: Uint8Array;
  /** Which of the vendor's keys sign, by their index, ascending. */
  readonly signers: readonly number[];
}

/** The newest version of those that are gone once these go, too. */
function droppedWith(state: LedgerSnapshot, digests: readonly Uint8Array[]): string | null {
  let newest = state.releaseList().dropped;
  for (const digest of digests) {
    const version = state.release(toReleaseDigest(digest))?.version;
    if (version !== undefined && (newest === null || isNewer(version, newest))) newest = version;
  }
  return newest;
}

/** Without the releases that are too old to be installed, and what was said of them; boxes that they set up go on. */
function withoutOldest(state: LedgerSnapshot, digests: readonly Uint8Array[], time: number): LedgerSnapshot {
  const accepted = digests.filter((digest) => isAccepted(state, digest));
  const former = state.formerOrigins();
  const kept =
    accepted.length === 0
      ? state
      : state.put(formerOriginsRecord, stateKeys.formerOrigins, {
          ...former,
          releases: withDropped(former.releases, accepted, time),
        });
  return digests
    .map(toReleaseDigest)
    .reduce(
      (rest, digest) => rest.delete(stateKeys.releaseAcceptances(digest)).delete(stateKeys.release(digest)),
      kept,
    );
}

function isAccepted(state: LedgerSnapshot, digest: Uint8Array): boolean {
  const release = state.release(toReleaseDigest(digest));
  return release !== undefined && release.acceptedAt !== null;
}

/** Signed by so many of the vendor's keys as the consortium asks for, in the order of `signers`. Any box may submit it. */
export const releasePublish: TransactionType<ReleasePublish> = {
  read(value) {
    const { map, base } = readBody(value, 'release.publish', [
      'version',
      'digest',
      'metadataHash',
      'signers',
    ]);
    return {
      ...base,
      version: versionField(map.version, 'version'),
      digest: bytesField(map.digest, 'digest', 32),
      metadataHash: bytesField(map.metadataHash, 'metadataHash', 32),
      signers: signersField(map.signers, 'signers'),
    };
  },
  signers: ({ signers }) => signers.length,
  // The release and its acceptances, those of the oldest one, and the list.
  work: () => ({ records: 5 }),
  apply(state, body, context) {
    const digest = toReleaseDigest(body.digest);
    const key = stateKeys.release(digest);
    if (state.has(key)) return 'release-exists';
    if (!signedByQuorum(state.vendor(), body.signers, context)) return 'bad-signature';
    // What is gone cannot be brought again: its publication and its acceptances are known to everybody.
    const { dropped, digests: listed, vendorKeys } = state.releaseList();
    if (dropped !== null && !isNewer(body.version, dropped)) return 'version-stale';
    const digests = [...listed, body.digest];
    const oldest = digests.slice(0, -releasesListedMax);
    return withoutOldest(state, oldest, context.time)
      .put(releaseRecord, key, {
        version: body.version,
        metadataHash: body.metadataHash,
        publishedAt: context.time,
        accepting: noSeats,
        acceptedAt: null,
      })
      .put(acceptancesRecord, stateKeys.releaseAcceptances(digest), noAcceptances)
      .put(releasesRecord, stateKeys.releases, {
        digests: digests.slice(-releasesListedMax),
        dropped: droppedWith(state, oldest),
        vendorKeys,
      });
  },
};
