/**
 * The bytes that are committed to for a study that is known by reference only: which instances the archive says it has
 * (DESIGN.md, "registered by reference from a PACS"). They are committed to like one instance of the study:
 *
 *   u32 0xffffffff ‖ lp("hilum/reference/1") ‖ canonical CBOR { study, instances: [[series, SOP class, SOP instance], …] }
 *
 * in ascending order of SOP instance UIDs. The first four bytes say that no UID of 4 GiB follows, so that these bytes can
 * never be taken for those of an object, which begin with its transfer syntax.
 */
import { concatBytes, lengthPrefixed, u32, utf8 } from '../encoding/bytes.ts';
import { encodeCanonical } from '../encoding/canonical-cbor.ts';
import { chunkLeaf, type CommittedInstance } from './commitments.ts';
import { isInstanceUid } from './instance-prefix.ts';
import { chunkBytes, studyInstancesMax } from './limits.ts';

export interface ReferencedInstance {
  readonly seriesInstanceUid: string;
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
}

const noObject = 0xffffffff;
const domain = 'hilum/reference/1';

/** @throws RangeError for no instances, too many, one that stands twice, or what is no UID. */
export function referenceBytes(
  studyInstanceUid: string,
  instances: readonly ReferencedInstance[],
): Uint8Array {
  if (instances.length === 0 || instances.length > studyInstancesMax)
    throw new RangeError(`a reference names 1 to ${studyInstancesMax} instances`);
  const ordered = instances.toSorted((a, b) => (a.sopInstanceUid < b.sopInstanceUid ? -1 : 1));
  const uids = new Set(ordered.map(({ sopInstanceUid }) => sopInstanceUid));
  if (uids.size !== ordered.length) throw new RangeError('a reference names each instance once');
  const rows = ordered.map((instance) => [
    instance.seriesInstanceUid,
    instance.sopClassUid,
    instance.sopInstanceUid,
  ]);
  if (![studyInstanceUid, ...rows.flat()].every(isInstanceUid)) throw new RangeError('not a UID');
  const content = encodeCanonical({ study: studyInstanceUid, instances: rows });
  return concatBytes(u32(noObject), lengthPrefixed(utf8(domain)), content);
}

/** These bytes as an instance of the study: `key` is x_j of its number. */
export function committedReference(key: Uint8Array, bytes: Uint8Array): CommittedInstance {
  const leaves: Uint8Array[] = [];
  for (let n = 0; n * chunkBytes < bytes.length; n++)
    leaves.push(chunkLeaf(key, n, bytes.subarray(n * chunkBytes, (n + 1) * chunkBytes)));
  return { key, length: bytes.length, leaves: concatBytes(...leaves) };
}
