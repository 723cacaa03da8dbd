import type { ObjectKept } from '../studies/manifest.ts';

/**
 * ⌈log2⌉ of the bytes of the data sets that one version of a study has: source and grantee have the same lengths from the
 * manifest, so that what the grantee claims is exactly what the source finds.
 */
export function sizeBucketOf(objects: readonly Pick<ObjectKept, 'length'>[]): number {
  const bytes = objects.reduce((sum, { length }) => sum + length, 0);
  return Math.ceil(Math.log2(Math.max(1, bytes)));
}
