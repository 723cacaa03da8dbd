/**
 * An RFC 9162 tree that grows at its end, without its entries: the roots of its complete subtrees are enough to add an
 * entry and to know the tree's hash. At most one for each bit of the size.
 */
import { sha256 } from './hash.ts';
import { merkleLeafHash, merkleNodeHash } from './merkle-tree.ts';

export interface MerkleFrontier {
  /** Entries so far. */
  readonly size: number;
  /** Roots of the complete subtrees, the largest (and first entries) first: one for each bit that is set in the size. */
  readonly peaks: readonly Uint8Array[];
}

export const emptyFrontier: MerkleFrontier = { size: 0, peaks: [] };

/** How many complete subtrees a tree of this size consists of. */
export function peakCount(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

/** The tree with this entry at its end. */
export function extendFrontier({ size, peaks }: MerkleFrontier, entry: Uint8Array): MerkleFrontier {
  const extended = [...peaks];
  let hash = merkleLeafHash(entry);
  for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
    hash = merkleNodeHash(extended.pop() as Uint8Array, hash);
  }
  extended.push(hash);
  return { size: size + 1, peaks: extended };
}

/** MTH(D[size]), RFC 9162 section 2.1.1: the smaller subtrees are joined first. */
export function frontierRoot({ peaks }: MerkleFrontier): Uint8Array {
  const smallest = peaks.at(-1);
  if (smallest === undefined) return sha256(new Uint8Array(0));
  return peaks.slice(0, -1).reduceRight((right, left) => merkleNodeHash(left, right), smallest);
}
