/** Repetitions are told by the leaves of the commitment, whichever of two instances ends first. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, equalBytes } from '../../firmware/src/encoding/bytes.ts';
import { chunkLeaf } from '../../firmware/src/protocol/commitments.ts';
import { chunkBytes } from '../../firmware/src/protocol/limits.ts';
import { Fingerprint, FingerprintsUnderWay } from '../../firmware/src/studies/fingerprint.ts';
import { LeafHasher } from '../../firmware/src/studies/leaf-hasher.ts';
import { sameUidComparedMax } from '../../firmware/src/studies/limits.ts';
import type { ObjectKept } from '../../firmware/src/studies/manifest.ts';

function kept(key: Uint8Array, bytes: Uint8Array): ObjectKept {
  const hasher = new LeafHasher(key);
  hasher.update(bytes);
  // Only what is compared.
  return { instanceKey: key, leaves: hasher.end(), length: bytes.length } as ObjectKept;
}

function fingerprintOf(bytes: Uint8Array, held: readonly ObjectKept[]): Fingerprint {
  const fingerprint = Fingerprint.begin(randomBytes(32), held, []);
  fingerprint.update(bytes);
  fingerprint.end();
  return fingerprint;
}

test('leaves are those of the commitment, in whatever pieces the bytes come', () => {
  const key = randomBytes(32);
  const bytes = randomBytes(2 * chunkBytes + 5000);
  const expected = [0, 1, 2].map((n) =>
    chunkLeaf(key, n, bytes.subarray(n * chunkBytes, (n + 1) * chunkBytes)),
  );
  const pieces = fc.array(fc.integer({ min: 1, max: 700_000 }), { maxLength: 12 });
  fc.assert(
    fc.property(pieces, (sizes) => {
      const hasher = new LeafHasher(key);
      let at = 0;
      for (const size of [...sizes, bytes.length]) {
        hasher.update(bytes.subarray(at, at + size));
        at += size;
      }
      assert.ok(equalBytes(hasher.end(), concatBytes(...expected)));
    }),
    { seed: 5, numRuns: 20 },
  );
});

test('the last chunk of a whole number of chunks is not followed by an empty one', () => {
  const hasher = new LeafHasher(randomBytes(32));
  hasher.update(randomBytes(2 * chunkBytes));
  assert.equal(hasher.end().length, 64);
});

test('an instance is the same as a held one with its bytes, and no other', () => {
  const bytes = randomBytes(5000);
  const other = Uint8Array.from(bytes);
  other[4999] = (other[4999] ?? 0) ^ 1;
  const [same, different, shorter] = [bytes, other, bytes.subarray(1)].map((each) =>
    kept(randomBytes(32), each),
  );
  assert.ok(same !== undefined && different !== undefined && shorter !== undefined);
  const fingerprint = fingerprintOf(bytes, [same, different, shorter]);
  assert.deepEqual(
    [same, different, shorter].map((object) => fingerprint.isOf(object)),
    [true, false, false],
  );
});

test('of many held instances the latest are compared', () => {
  const bytes = randomBytes(100);
  const held = Array.from({ length: sameUidComparedMax + 1 }, () => kept(randomBytes(32), bytes));
  const fingerprint = fingerprintOf(bytes, held);
  assert.deepEqual(
    held.map((object) => fingerprint.isOf(object)),
    [false, ...Array.from({ length: sameUidComparedMax }, () => true)],
  );
});

test('two that are under way at a time know each other, whichever ends first', () => {
  const bytes = randomBytes(3000);
  for (const same of [true, false]) {
    for (const firstEndsFirst of [true, false]) {
      const underWay = new FingerprintsUnderWay();
      const [one, two] = [bytes, same ? bytes : randomBytes(3000)].map((body) => {
        const fingerprint = Fingerprint.begin(randomBytes(32), [], underWay.of('1.2'));
        underWay.add('1.2', fingerprint);
        return { fingerprint, body };
      });
      assert.ok(one !== undefined && two !== undefined);
      for (const { fingerprint, body } of [one, two]) fingerprint.update(body);
      const [sooner, later] = firstEndsFirst ? [one, two] : [two, one];
      const object = { instanceKey: sooner.fingerprint.key, leaves: sooner.fingerprint.end(), length: 3000 };
      underWay.remove('1.2', sooner.fingerprint);
      later.fingerprint.end();
      assert.equal(
        later.fingerprint.isOf(object),
        same,
        `same: ${same}, first ends first: ${firstEndsFirst}`,
      );
    }
  }
});

test('what is under way is known by its UID until it is removed', () => {
  const underWay = new FingerprintsUnderWay();
  const [one, two] = [1, 2].map(() => Fingerprint.begin(randomBytes(32), [], []));
  assert.ok(one !== undefined && two !== undefined);
  underWay.add('1', one);
  underWay.add('1', two);
  assert.deepEqual([underWay.of('1').length, underWay.of('2').length], [2, 0]);
  underWay.remove('1', one);
  underWay.remove('1', one);
  assert.deepEqual(underWay.of('1'), [two]);
  underWay.remove('1', two);
  assert.deepEqual(underWay.of('1'), []);
});
