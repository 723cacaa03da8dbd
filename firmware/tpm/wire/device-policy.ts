/**
 * authPolicy of the keys of a box, for whoever holds a key of his own against it: the box that makes one, and others who
 * judge it (ADR 0040). It needs no TPM: the Names of the approval index and of the rescue's objects are what they are.
 */
import { approvalIndex } from './nv.ts';
import { policyDigest, policyOrDigest, signedAndSecretDigest, type PolicyStep } from './policy.ts';
import { nameOf } from './structures.ts';
import { rescueKeyArea } from './templates.ts';

/** Who opens the keys besides approved firmware. */
export interface RescueNames {
  /** The hospital's offline key: P-256, uncompressed SEC1, 65 bytes. */
  readonly key: Uint8Array;
  /** Name of the object whose authorization value comes from the recovery code, 34 bytes. */
  readonly lockName: Uint8Array;
}

export const approvalStep: PolicyStep = { kind: 'approval', index: approvalIndex };

/** Approved firmware, or the rescue. Without a rescue key the first stands twice, since PolicyOR wants two. */
export function policyBranches(rescue: RescueNames | undefined): readonly Uint8Array[] {
  const approved = policyDigest([approvalStep]);
  if (rescue === undefined) return [approved, approved];
  return [approved, signedAndSecretDigest(nameOf(rescueKeyArea(rescue.key)), rescue.lockName)];
}

/** 32 bytes. */
export function devicePolicyOf(rescue: RescueNames | undefined): Uint8Array {
  return policyOrDigest(policyBranches(rescue));
}
