import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  emptyFrontier,
  extendFrontier,
  frontierRoot,
  peakCount,
  type MerkleFrontier,
} from '../../firmware/src/encoding/merkle-frontier.ts';
import { merkleRoot } from '../../firmware/src/encoding/merkle-tree.ts';

function grown(entries: readonly Uint8Array[]): MerkleFrontier {
  return entries.reduce(extendFrontier, emptyFrontier);
}

test('a tree that grows has the root of the whole list at every size', () => {
  const entries = Array.from({ length: 130 }, (_, index) => Uint8Array.of(index, 7));
  let frontier = emptyFrontier;
  for (let size = 0; size <= entries.length; size++) {
    assert.deepEqual(frontierRoot(frontier), merkleRoot(entries.slice(0, size)));
    assert.equal(frontier.size, size);
    assert.equal(frontier.peaks.length, peakCount(size));
    frontier = extendFrontier(frontier, entries[size] ?? new Uint8Array(0));
  }
});

test('entries of any length, in any number, give the root of the list', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 8 }), { maxLength: 70 }), (entries) =>
      assert.deepEqual(frontierRoot(grown(entries)), merkleRoot(entries)),
    ),
    { seed: 20260101 },
  );
});

test('the tree before stays what it was', () => {
  const before = grown([Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)]);
  const root = frontierRoot(before);
  extendFrontier(before, Uint8Array.of(4));
  assert.deepEqual(frontierRoot(before), root);
});

test('heights beyond 32 bits are counted', () => {
  assert.equal(peakCount(0), 0);
  assert.equal(peakCount(2 ** 40 + 5), 3);
  assert.equal(peakCount(Number.MAX_SAFE_INTEGER), 53);
});
