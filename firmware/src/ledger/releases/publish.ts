/** release.publish: the vendor names a firmware release. Nothing is installed by it. */
import { signedByQuorum, signersField } from '../consortium/key-quorum.ts';
import { bytesField } from '../fields.ts';
import { releasesListedMax } from '../limits.ts';
import { stateKeys } from '../state-keys.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { releaseRecord, releasesRecord, toReleaseDigest, versionField } from './release-record.ts';

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
  apply(state, body, context) {
    const key = stateKeys.release(toReleaseDigest(body.digest));
    if (state.has(key)) return 'release-exists';
    if (!signedByQuorum(state.vendor(), body.signers, context)) return 'bad-signature';
    const digests = [...state.releases(), body.digest];
    return state
      .put(releaseRecord, key, {
        version: body.version,
        metadataHash: body.metadataHash,
        publishedAt: context.time,
        acceptedBy: [],
        acceptedAt: null,
      })
      .put(releasesRecord, stateKeys.releases, digests.slice(-releasesListedMax));
  },
};
