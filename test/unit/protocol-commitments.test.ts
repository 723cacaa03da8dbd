/** Commitments: no chunk that was flipped, swapped, doubled, cut or added passes, and no manifest but the one. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import { equalBytes } from '../../firmware/src/encoding/bytes.ts';
import { encodeCanonical } from '../../firmware/src/encoding/canonical-cbor.ts';
import {
  acceptsChunk,
  chunkCount,
  chunkLeaf,
  chunkLength,
  instanceHash,
  instanceKey,
  leafMessagePrefix,
  StudyCommitment,
  studyTop,
  type CommittedInstance,
} from '../../firmware/src/protocol/commitments.ts';
import {
  instancePrefix,
  instancePrefixBytesMax,
  parseInstancePrefix,
} from '../../firmware/src/protocol/instance-prefix.ts';
import { chunkBytes, studyBytesMax } from '../../firmware/src/protocol/limits.ts';
import { decodeManifest, encodeManifest, verifyManifest } from '../../firmware/src/protocol/manifests.ts';
import { pattern } from '../support/protocol-vectors.ts';

const salt = pattern(32, 0x20);

/** As the data path does it: leaves by node:crypto over prefix and chunk. */
function commit(j: number, bytes: Uint8Array): CommittedInstance {
  const key = instanceKey(salt, j);
  const leaves: Buffer[] = [];
  for (let n = 0; n < chunkCount(bytes.length); n++) {
    const chunk = bytes.subarray(n * chunkBytes, (n + 1) * chunkBytes);
    leaves.push(createHmac('sha256', key).update(leafMessagePrefix(n)).update(chunk).digest());
  }
  return { key, length: bytes.length, leaves: new Uint8Array(Buffer.concat(leaves)) };
}

function studyOf(...instances: readonly CommittedInstance[]): StudyCommitment {
  const study = new StudyCommitment(studyTop(salt));
  for (const instance of instances) study.add(instance);
  return study;
}

/** Three chunks, the last one short; no two alike. */
const bytes = Uint8Array.from(
  { length: 2 * chunkBytes + 100 },
  (_, i) => (i + Math.floor(i / chunkBytes)) % 253,
);
const instance = commit(0, bytes);
const chunkAt = (n: number) => bytes.slice(n * chunkBytes, (n + 1) * chunkBytes);
const accepts = (n: number, chunk: Uint8Array) =>
  acceptsChunk(instance, n, chunk.length, chunkLeaf(instance.key, n, chunk));

test('leaves by node:crypto and by noble are equal', () => {
  for (let n = 0; n < 3; n++) {
    const leaf = chunkLeaf(instance.key, n, chunkAt(n));
    assert.ok(equalBytes(leaf, instance.leaves.subarray(32 * n, 32 * n + 32)));
  }
});

test('each chunk is accepted in its place', () => {
  assert.equal(chunkCount(instance.length), 3);
  assert.equal(chunkLength(instance.length, 2), 100);
  for (let n = 0; n < 3; n++) assert.ok(accepts(n, chunkAt(n)));
});

test('a flipped, swapped, doubled, truncated or added chunk is refused', () => {
  for (const at of [0, 1, chunkBytes - 1]) {
    const flipped = chunkAt(0);
    flipped[at] = (flipped[at] as number) ^ 0x80;
    assert.ok(!accepts(0, flipped));
  }
  assert.ok(!accepts(0, chunkAt(1)), 'swapped');
  assert.ok(!accepts(1, chunkAt(0)), 'doubled');
  assert.ok(!accepts(0, chunkAt(0).slice(0, -1)), 'truncated');
  assert.ok(!accepts(2, chunkAt(2).slice(0, 99)), 'last one truncated');
  assert.ok(!accepts(2, new Uint8Array([...chunkAt(2), 0])), 'last one longer');
  assert.ok(!accepts(3, chunkAt(2)), 'added');
  const leaf = chunkLeaf(instance.key, 0, chunkAt(0));
  assert.ok(acceptsChunk(instance, 0, chunkBytes, leaf));
  assert.ok(!acceptsChunk(instance, 0, chunkBytes, leaf.slice(1)), 'leaf of another length');
  for (const n of [-1, 0.5, 3, NaN])
    assert.ok(!acceptsChunk(instance, n, chunkBytes, leaf), 'no such number');
});

test('a chunk of one instance is refused in another, though its bytes are the same', () => {
  const twin = commit(1, bytes);
  assert.ok(!acceptsChunk(twin, 0, chunkBytes, chunkLeaf(instance.key, 0, chunkAt(0))));
  assert.ok(!equalBytes(instanceHash(instance), instanceHash(twin)));
});

test('the commitment changes with every instance, its order, its key, length and leaves', () => {
  const [a, b] = [commit(0, pattern(50, 1)), commit(1, pattern(50, 2))];
  const commitments = [
    studyOf(),
    studyOf(a),
    studyOf(a, b),
    studyOf(b, a),
    studyOf({ ...a, key: b.key }),
    studyOf({ ...a, length: 51 }),
    studyOf({ ...a, leaves: b.leaves }),
  ].map((study) => Buffer.from(study.commitment()).toString('hex'));
  assert.equal(new Set(commitments).size, commitments.length);
  const otherTop = new StudyCommitment(studyTop(pattern(32, 0x21)));
  otherTop.add(a);
  assert.ok(!equalBytes(otherTop.commitment(), studyOf(a).commitment()));
});

test('an instance that is doubled, malformed or beyond the limits is not committed to', () => {
  const study = studyOf(instance);
  assert.throws(() => study.add(instance), RangeError);
  assert.throws(() => study.add({ ...commit(1, pattern(50, 1)), length: 0 }), RangeError);
  assert.throws(() => study.add({ ...commit(1, pattern(50, 1)), leaves: new Uint8Array(64) }), RangeError);
  assert.throws(() => study.add({ ...commit(1, pattern(50, 1)), key: new Uint8Array(31) }), RangeError);
  const huge = {
    key: instanceKey(salt, 9),
    length: studyBytesMax,
    leaves: new Uint8Array(32 * chunkCount(studyBytesMax)),
  };
  assert.throws(() => study.add(huge), /too many bytes/);
  assert.equal(study.instances.length, 1);
  assert.equal(study.bytes, instance.length);
  assert.throws(() => instanceKey(new Uint8Array(31), 0), RangeError);
  assert.throws(() => new StudyCommitment(new Uint8Array(31)), RangeError);
});

test('a manifest opens its own commitment alone', () => {
  const study = studyOf(instance, commit(1, pattern(10, 3)));
  const decoded = decodeManifest(encodeManifest(study));
  assert.ok(decoded.kind === 'manifest');
  const { manifest } = decoded;
  const commitment = study.commitment();
  assert.ok(verifyManifest(manifest, commitment));
  const [first, second] = manifest.instances as [CommittedInstance, CommittedInstance];
  const forged: readonly (readonly CommittedInstance[])[] = [
    [first],
    [second, first],
    [first, second, second],
    [first, second, commit(2, pattern(10, 4))],
    [first, { ...second, length: second.length + 1 }],
    [first, { ...second, key: instanceKey(salt, 7) }],
    [],
  ];
  for (const instances of forged) assert.ok(!verifyManifest({ ...manifest, instances }, commitment));
  assert.ok(!verifyManifest({ ...manifest, top: pattern(32, 0) }, commitment));
  assert.ok(!verifyManifest(manifest, pattern(32, 0)));
});

test('manifests are read strictly', () => {
  const good = {
    v: 1,
    top: pattern(32, 0),
    instances: [{ key: pattern(32, 1), length: 5, leaves: pattern(32, 2) }],
  };
  const kindOf = (change: object) => decodeManifest(encodeCanonical({ ...good, ...change })).kind;
  assert.equal(kindOf({}), 'manifest');
  const instanceWith = (change: object) => ({ instances: [{ ...good.instances[0], ...change }] });
  for (const change of [
    { v: 2 },
    { top: pattern(31, 0) },
    { instances: {} },
    { instances: [5] },
    { more: 1 },
    instanceWith({ key: pattern(33, 1) }),
    instanceWith({ length: 0, leaves: new Uint8Array(0) }),
    instanceWith({ length: -1 }),
    instanceWith({ length: chunkBytes + 1 }),
    instanceWith({ leaves: pattern(64, 2) }),
    instanceWith({ more: 1 }),
  ]) {
    assert.equal(kindOf(change), 'refused', JSON.stringify(change));
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (any) => decodeManifest(any).kind === 'refused'));
  const encoded = encodeCanonical(good);
  fc.assert(
    fc.property(fc.nat(encoded.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = encoded.slice();
      changed[at] = (changed[at] as number) ^ flip;
      const decoded = decodeManifest(changed);
      if (decoded.kind === 'refused') return;
      // What is accepted has one encoding.
      assert.deepEqual(encodeManifest(decoded.manifest), changed);
    }),
  );
});

const uid = fc.stringMatching(/^[0-9][0-9.]{0,63}$/);

test('the beginning of an instance is read back, whatever follows', () => {
  fc.assert(
    fc.property(uid, uid, uid, fc.uint8Array({ maxLength: 50 }), (a, b, c, rest) => {
      const identity = { transferSyntaxUid: a, sopClassUid: b, sopInstanceUid: c };
      const prefix = instancePrefix(identity);
      assert.ok(prefix.length <= instancePrefixBytesMax);
      const whole = new Uint8Array([...prefix, ...rest]);
      assert.deepEqual(parseInstancePrefix(whole), { identity, dataSetOffset: prefix.length });
      assert.equal(parseInstancePrefix(prefix.slice(0, -1)), undefined);
    }),
  );
});

test('what is no UID neither begins an instance nor is read as one', () => {
  const good = { transferSyntaxUid: '1.2', sopClassUid: '1.2', sopInstanceUid: '1.2' };
  for (const bad of ['', '1'.repeat(65), '1.2 ', '1\\2', '1.\0', 'é']) {
    assert.throws(() => instancePrefix({ ...good, sopInstanceUid: bad }), RangeError);
    const raw = Buffer.from(bad, 'utf8');
    const head = instancePrefix(good).slice(0, 14);
    const length = new Uint8Array([0, 0, 0, raw.length]);
    assert.equal(parseInstancePrefix(new Uint8Array([...head, ...length, ...raw])), undefined);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 250 }), (any) => {
      const parsed = parseInstancePrefix(any);
      if (parsed === undefined) return;
      assert.deepEqual(instancePrefix(parsed.identity), any.slice(0, parsed.dataSetOffset));
    }),
  );
});
