/** Repetitions are told by the leaves of the commitment, whichever of two instances ends first. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { chunkLeaf } from '../../firmware/src/protocol/commitments.ts';
import { Fingerprint, FingerprintsUnderWay } from '../../firmware/src/studies/fingerprint.ts';
import type { SealedObject } from '../../firmware/src/ports.ts';
import { sameUidComparedMax } from '../../firmware/src/studies/limits.ts';
import type { ObjectKept } from '../../firmware/src/studies/manifest.ts';

/** As the store gives them, for objects of one chunk. */
function sealed(keys: readonly Uint8Array[], bytes: Uint8Array): Pick<SealedObject, 'length' | 'leaves'> {
  return { length: bytes.length, leaves: keys.map((key) => chunkLeaf(key, 0, bytes)) };
}

function kept(key: Uint8Array, bytes: Uint8Array): ObjectKept {
  // Only what is compared.
  return { instanceKey: key, leaves: chunkLeaf(key, 0, bytes), length: bytes.length } as ObjectKept;
}

function fingerprintOf(bytes: Uint8Array, held: readonly ObjectKept[]): Fingerprint {
  const fingerprint = Fingerprint.begin(randomBytes(32), held, []);
  fingerprint.end(sealed(fingerprint.keys, bytes));
  return fingerprint;
}

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
      const [sooner, later] = firstEndsFirst ? [one, two] : [two, one];
      const leaves = sooner.fingerprint.end(sealed(sooner.fingerprint.keys, sooner.body));
      const object = { instanceKey: sooner.fingerprint.key, leaves, length: 3000 };
      underWay.remove('1.2', sooner.fingerprint);
      later.fingerprint.end(sealed(later.fingerprint.keys, later.body));
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
