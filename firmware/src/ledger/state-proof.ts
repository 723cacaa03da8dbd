/**
 * The hash rules of the state tree and the check of its proofs: what a light client needs, and nothing more.
 *
 * A binary Jellyfish Merkle tree with SHA-256, by the rules of Penumbra's jmt (github.com/penumbra-zone/jmt,
 * src/types/proof.rs and proof/definition.rs): keys are hashed; a subtree without leaves is the placeholder, a subtree
 * with one leaf is that leaf, any other is the hash of its two halves, divided by the key hash's next bit, most
 * significant bit first. So the root depends on the entries alone, not on their history.
 */
import { concatBytes, equalBytes, utf8 } from '../encoding/bytes.ts';
import { encodeCanonical } from '../encoding/canonical-cbor.ts';
import { sha256 } from '../encoding/hash.ts';
import { boundedBytesField, bytesField, decodeStrictly, listField, mapField, textField } from './fields.ts';
import {
  stateKeyCharactersMax,
  stateKeyHashesKeptMax,
  stateProofBytesMax,
  stateProofSiblingsMax,
  stateValueBytesMax,
  stateProofItemsMax,
} from './limits.ts';
import type { DecodeRefusal } from './refusals.ts';
import type { StateProof } from './types.ts';

const leafPrefix = utf8('JMT::LeafNode');
/** Spelt so by jmt, to fit 16 bytes. */
const internalPrefix = utf8('JMT::IntrnalNode');
/** Hash of a subtree without leaves. */
export const placeholderHash: Uint8Array = utf8('SPARSE_MERKLE_PLACEHOLDER_HASH__');

/** Of the keys asked for lately: a transaction's keys are read and written several times within seconds. */
const keyHashes = new Map<string, Uint8Array>();

/** Place of a key in the tree. 32 bytes, not to be changed. */
export function stateKeyHash(key: string): Uint8Array {
  const known = keyHashes.get(key);
  if (known !== undefined) return known;
  const keyHash = sha256(utf8(key));
  if (keyHashes.size >= stateKeyHashesKeptMax) keyHashes.clear();
  keyHashes.set(key, keyHash);
  return keyHash;
}

export function leafNodeHash(keyHash: Uint8Array, valueHash: Uint8Array): Uint8Array {
  return sha256(concatBytes(leafPrefix, keyHash, valueHash));
}

export function internalNodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concatBytes(internalPrefix, left, right));
}

/** Bit of a key hash, 0 being the most significant: 0 goes left, 1 right. */
export function bitAt(keyHash: Uint8Array, index: number): 0 | 1 {
  return (((keyHash[index >>> 3] as number) >>> (7 - (index & 7))) & 1) as 0 | 1;
}

function commonBits(a: Uint8Array, b: Uint8Array): number {
  let count = 0;
  while (count < 256 && bitAt(a, count) === bitAt(b, count)) count++;
  return count;
}

/**
 * True if the proof shows, under this root, that the key has the value, or (value null) that it has none. Siblings go
 * from the leaf up to the root, placeholders included.
 */
export function verifyStateProof(root: Uint8Array, proof: StateProof): boolean {
  const { siblings, otherLeaf } = proof;
  if (siblings.length > stateProofSiblingsMax || siblings.some((sibling) => sibling.length !== 32))
    return false;
  const keyHash = stateKeyHash(proof.key);
  let computed: Uint8Array;
  if (proof.value !== null) {
    if (otherLeaf !== null) return false;
    computed = leafNodeHash(keyHash, sha256(proof.value));
  } else if (otherLeaf !== null) {
    if (otherLeaf.keyHash.length !== 32 || otherLeaf.valueHash.length !== 32) return false;
    // The other leaf is alone in the subtree where the key would be: it must share the whole path down to it.
    if (equalBytes(otherLeaf.keyHash, keyHash) || commonBits(otherLeaf.keyHash, keyHash) < siblings.length)
      return false;
    computed = leafNodeHash(otherLeaf.keyHash, otherLeaf.valueHash);
  } else {
    computed = placeholderHash;
  }
  for (const [index, sibling] of siblings.entries()) {
    const depth = siblings.length - 1 - index;
    computed =
      bitAt(keyHash, depth) === 0 ? internalNodeHash(computed, sibling) : internalNodeHash(sibling, computed);
  }
  return equalBytes(computed, root);
}

/** Canonical CBOR of the proof (docs/formats.md). */
export function encodeStateProof(proof: StateProof): Uint8Array {
  return encodeCanonical({
    key: proof.key,
    value: proof.value,
    siblings: proof.siblings,
    otherLeaf: proof.otherLeaf === null ? null : { ...proof.otherLeaf },
  });
}

const extent = { bytesMax: stateProofBytesMax, itemsMax: stateProofItemsMax };

/** Strict reading of `encodeStateProof`'s bytes; says nothing of whether the proof holds. */
export function decodeStateProof(
  bytes: Uint8Array,
): { readonly kind: 'proof'; readonly proof: StateProof } | DecodeRefusal {
  const decoded = decodeStrictly(bytes, extent, (value): StateProof => {
    const map = mapField(value, 'proof', ['key', 'value', 'siblings', 'otherLeaf']);
    const other =
      map.otherLeaf === null ? null : mapField(map.otherLeaf, 'otherLeaf', ['keyHash', 'valueHash']);
    return {
      key: textField(map.key, 'key', stateKeyCharactersMax),
      value: map.value === null ? null : boundedBytesField(map.value, 'value', 1, stateValueBytesMax),
      siblings: listField(map.siblings, 'siblings', 0, stateProofSiblingsMax).map((sibling, index) =>
        bytesField(sibling, `siblings[${index}]`, 32),
      ),
      otherLeaf:
        other === null
          ? null
          : {
              keyHash: bytesField(other.keyHash, 'otherLeaf.keyHash', 32),
              valueHash: bytesField(other.valueHash, 'otherLeaf.valueHash', 32),
            },
    };
  });
  return decoded.kind === 'refused' ? decoded : { kind: 'proof', proof: decoded.value };
}
