/**
 * The state as a persistent binary Jellyfish Merkle tree: every change copies the path to its leaf and shares the rest,
 * so that a snapshot costs nothing. Hashes are computed when first asked for, once per node. Rules: state-proof.ts.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import { bitAt, internalNodeHash, leafNodeHash, placeholderHash, stateKeyHash } from './state-proof.ts';
import type { StateChange, StateProof } from './types.ts';

class Leaf {
  readonly keyHash: Uint8Array;
  readonly key: string;
  readonly value: Uint8Array;
  #hash: Uint8Array | undefined;

  constructor(keyHash: Uint8Array, key: string, value: Uint8Array) {
    this.keyHash = keyHash;
    this.key = key;
    this.value = value;
  }

  /** Not kept: it is needed for the hash, once, and for proofs of absence. */
  get valueHash(): Uint8Array {
    return sha256(this.value);
  }

  get hash(): Uint8Array {
    return (this.#hash ??= leafNodeHash(this.keyHash, this.valueHash));
  }
}

class Internal {
  readonly left: Node;
  readonly right: Node;
  #hash: Uint8Array | undefined;

  constructor(left: Node, right: Node) {
    this.left = left;
    this.right = right;
  }

  get hash(): Uint8Array {
    return (this.#hash ??= internalNodeHash(hashOf(this.left), hashOf(this.right)));
  }
}

/** null is the empty subtree. */
type Node = Leaf | Internal | null;

function hashOf(node: Node): Uint8Array {
  return node === null ? placeholderHash : node.hash;
}

function branch(bit: 0 | 1, child: Node, sibling: Node): Internal {
  return bit === 0 ? new Internal(child, sibling) : new Internal(sibling, child);
}

/** Two leaves that share the path down to `depth`, under as many one-sided nodes as they share further bits. */
function split(depth: number, present: Leaf, added: Leaf): Internal {
  const bit = bitAt(added.keyHash, depth);
  return bit === bitAt(present.keyHash, depth)
    ? branch(bit, split(depth + 1, present, added), null)
    : branch(bit, added, present);
}

function insert(node: Node, depth: number, leaf: Leaf): Node {
  if (node === null) return leaf;
  if (node instanceof Leaf) return equalBytes(node.keyHash, leaf.keyHash) ? leaf : split(depth, node, leaf);
  return bitAt(leaf.keyHash, depth) === 0
    ? new Internal(insert(node.left, depth + 1, leaf), node.right)
    : new Internal(node.left, insert(node.right, depth + 1, leaf));
}

function remove(node: Node, depth: number, keyHash: Uint8Array): Node {
  if (node === null) return null;
  if (node instanceof Leaf) return equalBytes(node.keyHash, keyHash) ? null : node;
  const bit = bitAt(keyHash, depth);
  const [before, sibling] = bit === 0 ? [node.left, node.right] : [node.right, node.left];
  const after = remove(before, depth + 1, keyHash);
  if (after === before) return node;
  // A subtree with a single leaf is that leaf, so it moves up.
  if (after === null && (sibling === null || sibling instanceof Leaf)) return sibling;
  if (after instanceof Leaf && sibling === null) return after;
  return branch(bit, after, sibling);
}

function* leaves(node: Node): Generator<Leaf> {
  if (node === null) return;
  if (node instanceof Leaf) {
    yield node;
    return;
  }
  yield* leaves(node.left);
  yield* leaves(node.right);
}

function collectChanges(before: Node, after: Node, changes: StateChange[]): void {
  if (before === after || equalBytes(hashOf(before), hashOf(after))) return;
  if (before instanceof Internal && after instanceof Internal) {
    collectChanges(before.left, after.left, changes);
    collectChanges(before.right, after.right, changes);
    return;
  }
  const gone = new Map<string, Leaf>();
  for (const leaf of leaves(before)) gone.set(leaf.key, leaf);
  for (const leaf of leaves(after)) {
    const old = gone.get(leaf.key);
    gone.delete(leaf.key);
    if (old === undefined || !equalBytes(old.value, leaf.value))
      changes.push({ key: leaf.key, value: leaf.value });
  }
  for (const key of gone.keys()) changes.push({ key, value: null });
}

export class StateTree {
  static readonly empty = new StateTree(null);
  readonly #top: Node;

  private constructor(top: Node) {
    this.#top = top;
  }

  /** 32 bytes. */
  get root(): Uint8Array {
    return hashOf(this.#top);
  }

  #leafOnPath(keyHash: Uint8Array): Leaf | null {
    let node = this.#top;
    for (let depth = 0; node instanceof Internal; depth++) {
      node = bitAt(keyHash, depth) === 0 ? node.left : node.right;
    }
    return node;
  }

  get(key: string): Uint8Array | undefined {
    const keyHash = stateKeyHash(key);
    const leaf = this.#leafOnPath(keyHash);
    return leaf !== null && equalBytes(leaf.keyHash, keyHash) ? leaf.value : undefined;
  }

  /** The tree with this value under the key. The value must not be changed afterwards. */
  put(key: string, value: Uint8Array): StateTree {
    return new StateTree(insert(this.#top, 0, new Leaf(stateKeyHash(key), key, value)));
  }

  /** The tree without the key; the same tree if it has none. */
  delete(key: string): StateTree {
    const top = remove(this.#top, 0, stateKeyHash(key));
    return top === this.#top ? this : new StateTree(top);
  }

  /** Proof that the key has its value, or has none, under this root. */
  prove(key: string): StateProof {
    const keyHash = stateKeyHash(key);
    const siblings: Uint8Array[] = [];
    let node = this.#top;
    for (let depth = 0; node instanceof Internal; depth++) {
      const [next, sibling]: [Node, Node] =
        bitAt(keyHash, depth) === 0 ? [node.left, node.right] : [node.right, node.left];
      siblings.push(hashOf(sibling));
      node = next;
    }
    siblings.reverse();
    if (node === null) return { key, value: null, siblings, otherLeaf: null };
    if (equalBytes(node.keyHash, keyHash)) return { key, value: node.value, siblings, otherLeaf: null };
    return { key, value: null, siblings, otherLeaf: { keyHash: node.keyHash, valueHash: node.valueHash } };
  }

  /** All entries, in the order of their key hashes. */
  *entries(): Generator<readonly [key: string, value: Uint8Array]> {
    for (const leaf of leaves(this.#top)) yield [leaf.key, leaf.value];
  }

  /** What turns this tree into the other: costs as much as they differ where they share snapshots. */
  changesTo(after: StateTree): StateChange[] {
    const changes: StateChange[] = [];
    collectChanges(this.#top, after.#top, changes);
    return changes;
  }
}
