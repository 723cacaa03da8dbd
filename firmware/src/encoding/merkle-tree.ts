import { concatBytes, equalBytes } from './bytes.ts';
import { sha256 } from './hash.ts';

/** RFC 9162, section 2.1: Merkle tree hash and inclusion proofs over a list of entries. */

const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);

/** Hash of an entry as a leaf. */
export function merkleLeafHash(entry: Uint8Array): Uint8Array {
  return sha256(concatBytes(leafPrefix, entry));
}

/** Hash of the node over two subtrees. */
export function merkleNodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concatBytes(nodePrefix, left, right));
}

/** The largest power of two smaller than n (n at least 2). */
function splitPoint(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

function rootOfHashes(hashes: readonly Uint8Array[], from: number, to: number): Uint8Array {
  if (to - from === 1) return hashes[from] as Uint8Array;
  const middle = from + splitPoint(to - from);
  return merkleNodeHash(rootOfHashes(hashes, from, middle), rootOfHashes(hashes, middle, to));
}

/** MTH(D[n]), RFC 9162 section 2.1.1. The empty list hashes to SHA-256 of nothing. */
export function merkleRoot(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length === 0) return sha256(new Uint8Array(0));
  return rootOfHashes(entries.map(merkleLeafHash), 0, entries.length);
}

/** PATH(m, D[n]), RFC 9162 section 2.1.3.1. @throws RangeError if the index lies outside the list. */
export function merklePath(entries: readonly Uint8Array[], index: number): Uint8Array[] {
  if (!Number.isInteger(index) || index < 0 || index >= entries.length) throw new RangeError('no such leaf');
  const hashes = entries.map(merkleLeafHash);
  const path: Uint8Array[] = [];
  let from = 0;
  let to = hashes.length;
  while (to - from > 1) {
    const middle = from + splitPoint(to - from);
    if (index < middle) {
      path.push(rootOfHashes(hashes, middle, to));
      to = middle;
    } else {
      path.push(rootOfHashes(hashes, from, middle));
      from = middle;
    }
  }
  return path.reverse();
}

/** PATH of every entry, in order: each hash of the tree is made once. */
export function merklePaths(entries: readonly Uint8Array[]): Uint8Array[][] {
  const hashes = entries.map(merkleLeafHash);
  const paths: Uint8Array[][] = entries.map(() => []);
  const rootOf = (from: number, to: number): Uint8Array => {
    if (to - from === 1) return hashes[from] as Uint8Array;
    const middle = from + splitPoint(to - from);
    const left = rootOf(from, middle);
    const right = rootOf(middle, to);
    for (let i = from; i < middle; i++) paths[i]?.push(right);
    for (let i = middle; i < to; i++) paths[i]?.push(left);
    return merkleNodeHash(left, right);
  };
  if (entries.length > 0) rootOf(0, entries.length);
  return paths;
}

/** RFC 9162 section 2.1.3.2: true if the entry is leaf `index` of the tree of `size` leaves with this root. */
export function verifyMerklePath(
  entry: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!Number.isInteger(index) || index < 0 || index >= size) return false;
  let fn = index;
  let sn = size - 1;
  let computed = merkleLeafHash(entry);
  for (const sibling of path) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      computed = merkleNodeHash(sibling, computed);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else {
      computed = merkleNodeHash(computed, sibling);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 && equalBytes(computed, root);
}
