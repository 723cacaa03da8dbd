/** What must not lie in the data folder of a box: neither the halves of its recovery code nor its last record. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWithin } from '../../firmware/src/box/within-folder.ts';

for (const [path, expected] of [
  ['/data', true],
  ['/data/', true],
  ['/data/record', true],
  ['/data/..record', true],
  ['/data/.../record', true],
  ['/data/a/../b', true],
  ['/', false],
  ['/record', false],
  ['/data-record', false],
  ['/data/../record', false],
] as const)
  test(`${path} lies ${expected ? 'in' : 'outside of'} /data`, () => {
    assert.equal(isWithin('/data', path), expected);
  });
