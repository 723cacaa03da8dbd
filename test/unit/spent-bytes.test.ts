import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spentBytesMin } from '../../firmware/src/store/limits.ts';
import { giveBack } from '../../firmware/src/store/spent-bytes.ts';

test('memory of its own is given back at once', () => {
  const piece = new Uint8Array(spentBytesMin);
  giveBack([piece]);
  assert.equal(piece.length, 0);
});

test('memory that others have a part in, or that is little, is left alone', () => {
  const shared = new ArrayBuffer(3 * spentBytesMin);
  const part = new Uint8Array(shared, spentBytesMin, spentBytesMin);
  const little = new Uint8Array(spentBytesMin - 1);
  giveBack([part, little]);
  assert.deepEqual([part.length, little.length], [spentBytesMin, spentBytesMin - 1]);
});
