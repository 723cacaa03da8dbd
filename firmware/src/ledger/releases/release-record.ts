/** A release that the vendor published, and who accepted it. The signatures: acceptances-record.ts. */
import { toHex } from '../../encoding/bytes.ts';
import { seatSetField, type SeatSet } from '../consortium/seats.ts';
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { bytesField, listField, mapField, ShapeError, timeField } from '../fields.ts';
import { quorumKeysMax, releasesListedMax, releaseVersionCharactersMax } from '../limits.ts';
import { recordFormat } from '../record-format.ts';

declare const brand: unique symbol;
/** Lower-case hexadecimal of the digest of the release's image, 32 bytes. */
export type ReleaseDigest = string & { readonly [brand]: 'ReleaseDigest' };

/** @throws RangeError if these are not 32 bytes. */
export function toReleaseDigest(bytes: Uint8Array): ReleaseDigest {
  if (bytes.length !== 32) throw new RangeError(`a digest has 32 bytes, not ${bytes.length}`);
  return toHex(bytes) as ReleaseDigest;
}

export interface ReleaseRecord {
  readonly version: string;
  /** SHA-256 of the update's signed metadata. */
  readonly metadataHash: Uint8Array;
  readonly publishedAt: number;
  /** Who has accepted it. Only members count. */
  readonly accepting: SeatSet;
  /** When n − f of the members had accepted it; null: it may not be installed. */
  readonly acceptedAt: number | null;
}

const versionPattern = /^[0-9]+(\.[0-9]+){2}(-[0-9a-z.-]+)?$/;

/** Three numbers, and what may follow after a dash, as semver.org has it. @throws ShapeError */
export function versionField(value: CborValue, path: string): string {
  if (
    typeof value !== 'string' ||
    value.length > releaseVersionCharactersMax ||
    !versionPattern.test(value)
  ) {
    throw new ShapeError(`${path}: version expected`);
  }
  return value;
}

export const releaseRecord = recordFormat<ReleaseRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'release', [
      'version',
      'metadataHash',
      'publishedAt',
      'accepting',
      'acceptedAt',
    ]);
    return {
      version: versionField(map.version, 'version'),
      metadataHash: bytesField(map.metadataHash, 'metadataHash', 32),
      publishedAt: timeField(map.publishedAt, 'publishedAt'),
      accepting: seatSetField(map.accepting, 'accepting'),
      acceptedAt: map.acceptedAt === null ? null : timeField(map.acceptedAt, 'acceptedAt'),
    };
  },
);

export interface ReleasesRecord {
  /** Of the last releases, in the order in which they were published. Older ones are gone. */
  readonly digests: readonly Uint8Array[];
  /** The newest version among those that are gone; null: none is, of this vendor. */
  readonly dropped: string | null;
  /** Keys of the last vendor that had any, 32 bytes each: by which, or by whose predecessors', what is gone was signed. */
  readonly vendorKeys: readonly Uint8Array[];
}

export const releasesRecord = recordFormat<ReleasesRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'releases', ['digests', 'dropped', 'vendorKeys']);
    return {
      digests: listField(map.digests, 'digests', 0, releasesListedMax).map((digest, index) =>
        bytesField(digest, `digests[${index}]`, 32),
      ),
      dropped: map.dropped === null ? null : versionField(map.dropped, 'dropped'),
      vendorKeys: listField(map.vendorKeys, 'vendorKeys', 0, quorumKeysMax).map((key, index) =>
        bytesField(key, `vendorKeys[${index}]`, 32),
      ),
    };
  },
);

/**
 * True if the version is newer by its three numbers. The word after the dash orders nothing here: a release is no newer
 * than its own candidates, which are published before it and dropped with it.
 */
export function isNewer(version: string, than: string): boolean {
  const other = numbersOf(than);
  for (const [index, number] of numbersOf(version).entries()) {
    const against = other[index];
    if (against === undefined || number !== against) return against !== undefined && number > against;
  }
  return false;
}

/** Any number of digits, up to the length of a version. */
function numbersOf(version: string): readonly bigint[] {
  const [numbers = ''] = version.split('-', 1);
  return numbers.split('.').map(BigInt);
}
