/**
 * What the source hands to a grantee before the first byte of a study: top and, for each instance, x_j, length and
 * leaves, so that each chunk can be checked against the ledger's commitment as it arrives.
 * Canonical CBOR: { v: 1, top, instances: [{ key, length, leaves }] }, leaves joined.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import { chunkCount, StudyCommitment, type CommittedInstance } from './commitments.ts';
import { decodeIfCanonical, isBytes, isCount, isList, mapWith } from '../encoding/cbor-fields.ts';
import { manifestBytesMax, studyBytesMax, studyInstancesMax } from './limits.ts';

export interface Manifest {
  readonly top: Uint8Array;
  readonly instances: readonly CommittedInstance[];
}

export function encodeManifest(manifest: Manifest): Uint8Array {
  const instances = manifest.instances.map(({ key, length, leaves }) => ({ key, length, leaves }));
  return encodeCanonical({ v: 1, top: manifest.top, instances });
}

export type DecodedManifest =
  | { readonly kind: 'manifest'; readonly manifest: Manifest }
  | { readonly kind: 'refused'; readonly reason: 'too-long' | 'form' };

const refusedForm = { kind: 'refused', reason: 'form' } as const;

/** Strict: exactly the keys, lengths and ranges above. Whether it is the study's is for `verifyManifest` to say. */
export function decodeManifest(bytes: Uint8Array): DecodedManifest {
  if (bytes.length > manifestBytesMax) return { kind: 'refused', reason: 'too-long' };
  const map = mapWith(decodeIfCanonical(bytes), ['v', 'top', 'instances']);
  if (map === undefined || map['v'] !== 1) return refusedForm;
  const { top, instances } = map;
  if (!isBytes(top, 32) || !isList(instances) || instances.length > studyInstancesMax) return refusedForm;
  const decoded: CommittedInstance[] = [];
  for (const item of instances) {
    const instance = readInstance(item);
    if (instance === undefined) return refusedForm;
    decoded.push(instance);
  }
  return { kind: 'manifest', manifest: { top, instances: decoded } };
}

function readInstance(value: CborValue): CommittedInstance | undefined {
  const map = mapWith(value, ['key', 'length', 'leaves']);
  if (map === undefined) return undefined;
  const { key, length, leaves } = map;
  if (!isBytes(key, 32) || !isCount(length, studyBytesMax) || length === 0) return undefined;
  return isBytes(leaves, 32 * chunkCount(length)) ? { key, length, leaves } : undefined;
}

/** True if the manifest opens exactly this commitment. */
export function verifyManifest(manifest: Manifest, commitment: Uint8Array): boolean {
  const study = new StudyCommitment(manifest.top);
  try {
    for (const instance of manifest.instances) study.add(instance);
  } catch (cause) {
    // Doubled instances and exceeded totals: no commitment that `StudyCommitment` ever made.
    if (cause instanceof RangeError) return false;
    throw cause;
  }
  return equalBytes(study.commitment(), commitment);
}
