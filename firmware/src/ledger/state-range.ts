/**
 * A run of neighbours of the state tree, provable under its root: how a snapshot travels, chunk by chunk. The proof holds
 * the siblings to the left of the first entry's path and to the right of the last one's; everything between them is
 * computed from the entries, so none can be left out or put in.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import { bitAt, internalNodeHash, leafNodeHash, placeholderHash, stateKeyHash } from './state-proof.ts';
import type { LedgerState } from './types.ts';
import { asSnapshot } from './state.ts';

export type StateEntry = readonly [key: string, value: Uint8Array];

/** The last entry of the chunk before, with which a chunk begins. */
export interface StateAnchor {
  readonly keyHash: Uint8Array;
  readonly valueHash: Uint8Array;
}

export interface StateRange {
  /** In the order of their key hashes; without the anchor. */
  readonly entries: readonly StateEntry[];
  /** Nodes on the path of the anchor (or, in the first chunk, of the first entry): how deep its leaf lies. */
  readonly firstDepth: number;
  readonly lastDepth: number;
  /** From the root down, 32 bytes each. */
  readonly left: readonly Uint8Array[];
  readonly right: readonly Uint8Array[];
}

export type VerifiedRange =
  | { readonly kind: 'verified'; readonly last: StateAnchor; readonly isEnd: boolean }
  | { readonly kind: 'refused' };

/**
 * The state in chunks of at least one entry and, beyond it, at most so many bytes of keys and values. Each is proved as
 * following the one before. The same on every box.
 */
export function* stateRanges(state: LedgerState, bytesMax: number): Generator<StateRange> {
  const snapshot = asSnapshot(state);
  let anchor: string | undefined;
  let chunk: StateEntry[] = [];
  let bytes = 0;
  const range = (): StateRange => {
    const [first] = chunk[0] ?? [''];
    const [last] = chunk.at(-1) ?? [''];
    const low = pathOf(snapshot, anchor ?? first);
    const high = pathOf(snapshot, last);
    return {
      entries: chunk,
      firstDepth: low.length,
      lastDepth: high.length,
      left: low.filter(({ bit }) => bit === 1).map(({ sibling }) => sibling),
      right: high.filter(({ bit }) => bit === 0).map(({ sibling }) => sibling),
    };
  };
  for (const [key, value] of snapshot.entries()) {
    const size = key.length + value.length;
    if (chunk.length > 0 && bytes + size > bytesMax) {
      yield range();
      anchor = chunk.at(-1)?.[0];
      chunk = [];
      bytes = 0;
    }
    chunk.push([key, value]);
    bytes += size;
  }
  if (chunk.length > 0) yield range();
}

/** From the root down: which way the key goes, and the hash of the other way. */
function pathOf(
  state: Pick<LedgerState, 'prove'>,
  key: string,
): { readonly bit: 0 | 1; readonly sibling: Uint8Array }[] {
  const keyHash = stateKeyHash(key);
  return state
    .prove(key)
    .siblings.toReversed()
    .map((sibling, depth) => ({ bit: bitAt(keyHash, depth), sibling }));
}

/**
 * Checks that these entries are all that the state under this root has after the anchor (undefined: from its beginning)
 * up to the last of them. `isEnd`: the state has no more.
 */
export function verifyStateRange(
  root: Uint8Array,
  anchor: StateAnchor | undefined,
  range: StateRange,
): VerifiedRange {
  const leaves = range.entries.map(stateAnchor);
  const last = leaves.at(-1);
  if (last === undefined) return { kind: 'refused' };
  if (anchor !== undefined) leaves.unshift(anchor);
  const ascends = leaves.every(
    (leaf, index) => index === 0 || isBelow(leaves[index - 1] as StateAnchor, leaf),
  );
  if (!ascends) return { kind: 'refused' };
  // The first chunk has nothing to its left, the last nothing to its right.
  if (anchor === undefined && !range.left.every(isEmptyNode)) return { kind: 'refused' };
  const computed = new RangeRoot(leaves, range).compute();
  if (computed === undefined || !equalBytes(computed, root)) return { kind: 'refused' };
  return { kind: 'verified', last, isEnd: isLastRange(range) };
}

/** True of a chunk after which the state has nothing more, if it verifies. */
export function isLastRange({ right }: StateRange): boolean {
  return right.every(isEmptyNode);
}

/** What the chunk after this entry begins with. */
export function stateAnchor([key, value]: StateEntry): StateAnchor {
  return { keyHash: stateKeyHash(key), valueHash: sha256(value) };
}

/** Rebuilds the root from a run of leaves and what lies beside it. */
class RangeRoot {
  readonly #leaves: readonly StateAnchor[];
  readonly #range: StateRange;
  #leftUsed = 0;
  #rightUsed = 0;
  #isMalformed = false;

  constructor(leaves: readonly StateAnchor[], range: StateRange) {
    this.#leaves = leaves;
    this.#range = range;
  }

  /** Undefined if the proof has not the form of these leaves. */
  compute(): Uint8Array | undefined {
    const root = this.#subtree(0, 0, this.#leaves.length, true, true);
    const { left, right } = this.#range;
    const isUsedUp = this.#leftUsed === left.length && this.#rightUsed === right.length;
    return this.#isMalformed || !isUsedUp ? undefined : root;
  }

  /** Hash of the subtree of the leaves from `low` up to `high`; on the run's edges it reaches beyond them. */
  #subtree(depth: number, low: number, high: number, onLeft: boolean, onRight: boolean): Uint8Array {
    if (low === high) return placeholderHash;
    const { firstDepth, lastDepth } = this.#range;
    const only = high - low === 1 ? this.#leaves[low] : undefined;
    const endsHere = (!onLeft || depth === firstDepth) && (!onRight || depth === lastDepth);
    if (only !== undefined && endsHere) return leafNodeHash(only.keyHash, only.valueHash);
    if (depth >= 256 || (onLeft && depth >= firstDepth) || (onRight && depth >= lastDepth)) {
      this.#isMalformed = true;
      return placeholderHash;
    }
    let middle = low;
    while (middle < high && bitAt((this.#leaves[middle] as StateAnchor).keyHash, depth) === 0) middle++;
    const goesLeft = onRight && middle === high;
    const goesRight = onLeft && middle === low;
    const left = goesRight ? this.#takeLeft() : undefined;
    const right = goesLeft ? this.#takeRight() : undefined;
    return internalNodeHash(
      left ?? this.#subtree(depth + 1, low, middle, onLeft, goesLeft),
      right ?? this.#subtree(depth + 1, middle, high, goesRight, onRight),
    );
  }

  #takeLeft(): Uint8Array {
    return this.#taken(this.#range.left[this.#leftUsed++]);
  }

  #takeRight(): Uint8Array {
    return this.#taken(this.#range.right[this.#rightUsed++]);
  }

  #taken(sibling: Uint8Array | undefined): Uint8Array {
    if (sibling?.length === 32) return sibling;
    this.#isMalformed = true;
    return placeholderHash;
  }
}

function isEmptyNode(hash: Uint8Array): boolean {
  return equalBytes(hash, placeholderHash);
}

function isBelow(one: StateAnchor, other: StateAnchor): boolean {
  const at = one.keyHash.findIndex((byte, index) => byte !== other.keyHash[index]);
  return at !== -1 && (one.keyHash[at] as number) < (other.keyHash[at] as number);
}
