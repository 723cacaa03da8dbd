/** A release that the vendor published, and who accepted it. */
import { toHex } from '../../encoding/bytes.ts';
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { bytesField, institutionIdField, listField, mapField, ShapeError, timeField } from '../fields.ts';
import { institutionsMax, releasesListedMax, releaseVersionCharactersMax } from '../limits.ts';
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
  /** In the order in which they accepted it. */
  readonly acceptedBy: readonly string[];
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
      'acceptedBy',
      'acceptedAt',
    ]);
    return {
      version: versionField(map.version, 'version'),
      metadataHash: bytesField(map.metadataHash, 'metadataHash', 32),
      publishedAt: timeField(map.publishedAt, 'publishedAt'),
      acceptedBy: listField(map.acceptedBy, 'acceptedBy', 0, institutionsMax).map((id, index) =>
        institutionIdField(id, `acceptedBy[${index}]`),
      ),
      acceptedAt: map.acceptedAt === null ? null : timeField(map.acceptedAt, 'acceptedAt'),
    };
  },
);

/** Digests of the last releases, oldest first. Older ones are gone. */
export const releasesRecord = recordFormat<readonly Uint8Array[]>(
  (digests) => digests,
  (value) =>
    listField(value, 'releases', 0, releasesListedMax).map((digest, index) =>
      bytesField(digest, `releases[${index}]`, 32),
    ),
);

/** An institution's acceptance, whose signature can be collected from here into the update itself. */
export interface AcceptanceRecord {
  readonly signature: Uint8Array;
  readonly at: number;
}

export const acceptanceRecord = recordFormat<AcceptanceRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'acceptance', ['signature', 'at']);
    return { signature: bytesField(map.signature, 'signature', 64), at: timeField(map.at, 'at') };
  },
);
