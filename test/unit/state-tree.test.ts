import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import {
  bitAt,
  decodeStateProof,
  encodeStateProof,
  internalNodeHash,
  leafNodeHash,
  placeholderHash,
  stateKeyHash,
  verifyStateProof,
} from '../../firmware/src/ledger/state-proof.ts';
import { StateTree } from '../../firmware/src/ledger/state-tree.ts';
import type { StateProof } from '../../firmware/src/ledger/types.ts';

interface Vectors {
  readonly roots: readonly {
    readonly name: string;
    readonly entries: readonly { readonly key: string; readonly value: string }[];
    readonly root: string;
  }[];
  readonly proofs: readonly {
    readonly name: string;
    readonly tree: string;
    readonly root: string;
    readonly encoded: string;
  }[];
}

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/state-tree.json', import.meta.url), 'utf8'),
) as Vectors;

function treeOf(entries: Iterable<readonly [string, Uint8Array]>): StateTree {
  let tree = StateTree.empty;
  for (const [key, value] of entries) tree = tree.put(key, value);
  return tree;
}

/** The definition: placeholder, lone leaf, or the hash of two halves. */
function rootByDefinition(
  leaves: readonly (readonly [keyHash: Uint8Array, value: Uint8Array])[],
  depth = 0,
): Uint8Array {
  const [first] = leaves;
  if (first === undefined) return placeholderHash;
  if (leaves.length === 1) return leafNodeHash(first[0], sha256(first[1]));
  const half = (side: 0 | 1): Uint8Array =>
    rootByDefinition(
      leaves.filter(([keyHash]) => bitAt(keyHash, depth) === side),
      depth + 1,
    );
  return internalNodeHash(half(0), half(1));
}

function rootOfMap(model: ReadonlyMap<string, Uint8Array>): Uint8Array {
  return rootByDefinition([...model].map(([key, value]) => [stateKeyHash(key), value] as const));
}

const someKey = fc.integer({ min: 0, max: 60 }).map((n) => `key/${n}`);
const someValue = fc.uint8Array({ minLength: 1, maxLength: 6 });
const someStep = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), key: someKey, value: someValue }),
  fc.record({ kind: fc.constant('delete' as const), key: someKey }),
);
const someSteps = fc.array(someStep, { maxLength: 120 });

function follow(steps: readonly (typeof someStep extends fc.Arbitrary<infer S> ? S : never)[]): {
  readonly tree: StateTree;
  readonly model: ReadonlyMap<string, Uint8Array>;
} {
  let tree = StateTree.empty;
  const model = new Map<string, Uint8Array>();
  for (const step of steps) {
    if (step.kind === 'put') {
      tree = tree.put(step.key, step.value);
      model.set(step.key, step.value);
    } else {
      tree = tree.delete(step.key);
      model.delete(step.key);
    }
  }
  return { tree, model };
}

// The first three follow the sha2_256 vectors of Penumbra's jmt: an empty tree, "hello" = "world", and that with
// "goodbye" = "world" (github.com/penumbra-zone/jmt, src/tests/vectors.rs and its generator, which computes them by
// hand). Keys and values are hashed with SHA-256.
for (const vector of vectors.roots) {
  test(`root: ${vector.name}`, () => {
    const tree = treeOf(vector.entries.map(({ key, value }) => [key, fromHex(value)] as const));
    assert.equal(toHex(tree.root), vector.root);
  });
}

for (const vector of vectors.proofs) {
  test(`proof: ${vector.name}`, () => {
    const tree = vectors.roots.find(({ name }) => name === vector.tree);
    assert.ok(tree !== undefined);
    assert.equal(vector.root, tree.root);
    const decoded = decodeStateProof(fromHex(vector.encoded));
    assert.ok(decoded.kind === 'proof');
    assert.equal(verifyStateProof(fromHex(vector.root), decoded.proof), true);
    const made = treeOf(tree.entries.map(({ key, value }) => [key, fromHex(value)] as const)).prove(
      decoded.proof.key,
    );
    assert.equal(toHex(encodeStateProof(made)), vector.encoded);
  });
}

test('an independent program agrees with the vectors', () => {
  const script = new URL('../vectors/check_state_tree.py', import.meta.url).pathname;
  const said = execFileSync('/usr/bin/python3', [script], { encoding: 'utf8' });
  assert.equal(said.trim(), `${vectors.roots.length} roots, ${vectors.proofs.length} proofs, 0 failures`);
});

test('the shapes of jmt: a leaf stays at the depth at which it is alone', () => {
  // As in jmt's src/tests/node_type.rs, two_leaves_test2: two leaves that share their first bits.
  const keys = Array.from({ length: 4000 }, (_, n) => `key/${n}`);
  const withPrefix = (prefix: string): string => {
    const found = keys.find((key) =>
      (stateKeyHash(key)[0] as number).toString(2).padStart(8, '0').startsWith(prefix),
    );
    assert.ok(found !== undefined);
    return found;
  };
  const [a, b] = [withPrefix('010'), withPrefix('011')];
  const value = utf8('v');
  const leaf = (key: string): Uint8Array => leafNodeHash(stateKeyHash(key), sha256(value));
  const x1 = internalNodeHash(leaf(a), leaf(b));
  const x2 = internalNodeHash(placeholderHash, x1);
  const tree = treeOf([
    [a, value],
    [b, value],
  ]);
  assert.deepEqual(tree.root, internalNodeHash(x2, placeholderHash));
  assert.deepEqual(tree.prove(a).siblings, [leaf(b), placeholderHash, placeholderHash]);
  assert.deepEqual(tree.prove(withPrefix('1')), {
    key: withPrefix('1'),
    value: null,
    siblings: [x2],
    otherLeaf: null,
  });
});

test('the tree is what a map is, its root what the definition says', () => {
  fc.assert(
    fc.property(someSteps, (steps) => {
      const { tree, model } = follow(steps);
      assert.deepEqual(tree.root, rootOfMap(model));
      for (let n = 0; n <= 60; n++) assert.deepEqual(tree.get(`key/${n}`), model.get(`key/${n}`));
      assert.deepEqual(new Map(tree.entries()), new Map(model));
    }),
  );
});

test('a snapshot does not change when later ones are made', () => {
  fc.assert(
    fc.property(someSteps, someSteps, (first, second) => {
      const { tree, model } = follow(first);
      let later = tree;
      for (const step of second)
        later = step.kind === 'put' ? later.put(step.key, step.value) : later.delete(step.key);
      assert.ok(later.root.length === 32);
      assert.deepEqual(new Map(tree.entries()), new Map(model));
      assert.deepEqual(tree.root, rootOfMap(model));
    }),
  );
});

test('changes lead from one tree to the other, and name nothing that is equal', () => {
  fc.assert(
    fc.property(someSteps, someSteps, (first, second) => {
      const before = follow(first);
      const after = follow([...first, ...second]);
      const changed = new Map(before.model);
      for (const { key, value } of before.tree.changesTo(after.tree)) {
        assert.notDeepEqual(changed.get(key), value ?? undefined, 'named, though equal');
        if (value === null) changed.delete(key);
        else changed.set(key, value);
      }
      assert.deepEqual(changed, new Map(after.model));
    }),
  );
});

test('every key has a proof of its value or of its absence', () => {
  fc.assert(
    fc.property(someSteps, (steps) => {
      const { tree, model } = follow(steps);
      for (let n = 0; n <= 60; n++) {
        const proof = tree.prove(`key/${n}`);
        assert.deepEqual(proof.value ?? undefined, model.get(`key/${n}`));
        assert.equal(verifyStateProof(tree.root, proof), true);
        assert.deepEqual(decodeStateProof(encodeStateProof(proof)), { kind: 'proof', proof });
      }
    }),
    { numRuns: 30 },
  );
});

const fullTree = treeOf(Array.from({ length: 200 }, (_, n) => [`key/${n}`, utf8(`value ${n}`)] as const));

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  const index = Math.floor(bit / 8) % copy.length;
  copy[index] = (copy[index] as number) ^ (1 << (bit % 8));
  return copy;
}

test('a proof with any bit changed is refused', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 400 }), fc.nat(), fc.nat(), (n, which, bit) => {
      const proof = fullTree.prove(`key/${n}`);
      const index = which % proof.siblings.length;
      const forged: StateProof[] = [
        { ...proof, siblings: proof.siblings.map((s, i) => (i === index ? flipped(s, bit) : s)) },
        { ...proof, siblings: proof.siblings.slice(1) },
        { ...proof, siblings: proof.siblings.slice(0, -1) },
        { ...proof, siblings: [...proof.siblings, placeholderHash] },
        { ...proof, siblings: [placeholderHash, ...proof.siblings] },
        { ...proof, siblings: proof.siblings.map((s, i) => (i === index ? s.subarray(1) : s)) },
        ...(proof.value === null ? [] : [{ ...proof, value: flipped(proof.value, bit) }]),
        ...(proof.otherLeaf === null
          ? []
          : [
              { ...proof, otherLeaf: null },
              {
                ...proof,
                otherLeaf: { ...proof.otherLeaf, valueHash: flipped(proof.otherLeaf.valueHash, bit) },
              },
              { ...proof, otherLeaf: { ...proof.otherLeaf, keyHash: flipped(proof.otherLeaf.keyHash, bit) } },
            ]),
      ];
      for (const attempt of forged) assert.equal(verifyStateProof(fullTree.root, attempt), false);
      assert.equal(verifyStateProof(flipped(fullTree.root, bit), proof), false);
    }),
  );
});

test('the absence of a key that is there cannot be shown', () => {
  for (let n = 0; n < 200; n++) {
    const proof = fullTree.prove(`key/${n}`);
    const keyHash = stateKeyHash(proof.key);
    const valueHash = sha256(proof.value as Uint8Array);
    // The leaf itself as the other one, no leaf, and every other leaf's own path.
    assert.equal(verifyStateProof(fullTree.root, { ...proof, value: null }), false);
    assert.equal(
      verifyStateProof(fullTree.root, { ...proof, value: null, otherLeaf: { keyHash, valueHash } }),
      false,
    );
    const beside = fullTree.prove(`key/${(n + 1) % 200}`);
    const otherLeaf = {
      keyHash: stateKeyHash(beside.key),
      valueHash: sha256(beside.value as Uint8Array),
    };
    assert.equal(
      verifyStateProof(fullTree.root, { key: proof.key, value: null, siblings: beside.siblings, otherLeaf }),
      false,
    );
  }
});

test('the presence of a key that is not there cannot be shown', () => {
  for (let n = 200; n < 400; n++) {
    const proof = fullTree.prove(`key/${n}`);
    assert.equal(proof.value, null);
    assert.equal(verifyStateProof(fullTree.root, { ...proof, value: utf8('forged') }), false);
    assert.equal(
      verifyStateProof(fullTree.root, { ...proof, value: utf8('forged'), otherLeaf: null }),
      false,
    );
  }
});

test('an inner node cannot be passed off as a leaf', () => {
  // The hash of a node with its children as key hash and value hash: the two kinds have prefixes of their own.
  const proof = fullTree.prove('key/0');
  const [sibling] = proof.siblings;
  assert.ok(sibling !== undefined);
  const leaf = leafNodeHash(stateKeyHash('key/0'), sha256(proof.value as Uint8Array));
  assert.notDeepEqual(leafNodeHash(leaf, sibling), internalNodeHash(leaf, sibling));
});

test('a leaf out of its place shows no absence, even under a root that was made for it', () => {
  const key = 'key/0';
  const away = Array.from({ length: 100 }, (_, n) => stateKeyHash(`key/${n}`)).find(
    (keyHash) => bitAt(keyHash, 0) !== bitAt(stateKeyHash(key), 0),
  );
  assert.ok(away !== undefined);
  const otherLeaf = { keyHash: away, valueHash: sha256(utf8('value')) };
  const leaf = leafNodeHash(otherLeaf.keyHash, otherLeaf.valueHash);
  const left = bitAt(stateKeyHash(key), 0) === 0;
  const root = left ? internalNodeHash(leaf, placeholderHash) : internalNodeHash(placeholderHash, leaf);
  assert.equal(verifyStateProof(root, { key, value: null, siblings: [placeholderHash], otherLeaf }), false);
});

test('more than 256 siblings are refused', () => {
  const siblings = Array.from({ length: 257 }, () => placeholderHash);
  assert.equal(
    verifyStateProof(StateTree.empty.root, { key: 'key', value: null, siblings, otherLeaf: null }),
    false,
  );
});

test('proof bytes that are not canonical or not a proof are refused', () => {
  const bytes = encodeStateProof(fullTree.prove('key/3'));
  assert.equal(decodeStateProof(bytes.subarray(0, -1)).kind, 'refused');
  assert.equal(decodeStateProof(Uint8Array.of(...bytes, 0)).kind, 'refused');
  assert.deepEqual(decodeStateProof(Uint8Array.of(0x80)), {
    kind: 'refused',
    reason: 'wrong-shape',
    detail: 'proof: map expected',
  });
});
