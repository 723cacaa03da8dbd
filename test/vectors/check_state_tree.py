"""Checks test/vectors/state-tree.json without any of Hilum's code: the tree by its definition, proofs by hand.

Rules: Penumbra's jmt (github.com/penumbra-zone/jmt), src/types/proof.rs. Exit status 0 if every vector holds.
"""

import hashlib
import json
import pathlib
import sys

PLACEHOLDER = b"SPARSE_MERKLE_PLACEHOLDER_HASH__"


def sha256(data):
    return hashlib.sha256(data).digest()


def bit(key_hash, index):
    return key_hash[index // 8] >> (7 - index % 8) & 1


def leaf(key_hash, value_hash):
    return sha256(b"JMT::LeafNode" + key_hash + value_hash)


def internal(left, right):
    return sha256(b"JMT::IntrnalNode" + left + right)


def root(leaves, depth=0):
    if not leaves:
        return PLACEHOLDER
    if len(leaves) == 1:
        return leaf(*leaves[0])
    halves = [[entry for entry in leaves if bit(entry[0], depth) == side] for side in (0, 1)]
    return internal(root(halves[0], depth + 1), root(halves[1], depth + 1))


def proof_root(proof):
    key_hash = sha256(proof["key"].encode())
    other = proof["otherLeaf"]
    if proof["value"] is not None:
        computed = leaf(key_hash, sha256(bytes.fromhex(proof["value"])))
    elif other is not None:
        computed = leaf(bytes.fromhex(other["keyHash"]), bytes.fromhex(other["valueHash"]))
    else:
        computed = PLACEHOLDER
    for index, sibling in enumerate(proof["siblings"]):
        beside = bytes.fromhex(sibling)
        right = bit(key_hash, len(proof["siblings"]) - 1 - index)
        computed = internal(beside, computed) if right else internal(computed, beside)
    return computed


vectors = json.loads((pathlib.Path(__file__).parent / "state-tree.json").read_text())
failures = 0
for vector in vectors["roots"]:
    leaves = [(sha256(e["key"].encode()), sha256(bytes.fromhex(e["value"]))) for e in vector["entries"]]
    failures += root(leaves).hex() != vector["root"]
for vector in vectors["proofs"]:
    failures += proof_root(vector["proof"]).hex() != vector["root"]
print(f"{len(vectors['roots'])} roots, {len(vectors['proofs'])} proofs, {failures} failures")
sys.exit(failures != 0)
