import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import {
  merklePath,
  merklePaths,
  merkleRoot,
  verifyMerklePath,
} from '../../firmware/src/encoding/merkle-tree.ts';

/** RFC 9162, section 2.1.1, as it is written there, with node:crypto. */
function mth(entries: readonly Uint8Array[]): Buffer {
  const sha256 = (...parts: readonly Uint8Array[]): Buffer =>
    createHash('sha256').update(Buffer.concat(parts)).digest();
  if (entries.length === 0) return sha256();
  if (entries.length === 1) return sha256(Uint8Array.of(0), entries[0] as Uint8Array);
  const k = 2 ** Math.floor(Math.log2(entries.length - 1));
  return sha256(Uint8Array.of(1), mth(entries.slice(0, k)), mth(entries.slice(k)));
}

// The entries and roots of the Certificate Transparency reference code (google/certificate-transparency,
// cpp/merkletree/merkle_tree_test.cc), also used by transparency-dev/merkle.
const entries = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const roots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

test('roots are those of the Certificate Transparency reference', () => {
  const list = entries.map(fromHex);
  for (const [size, root] of roots.entries()) assert.equal(toHex(merkleRoot(list.slice(0, size))), root);
});

const lists = fc.array(fc.uint8Array({ maxLength: 8 }), { minLength: 1, maxLength: 40 });

test('roots are those of the definition', () => {
  fc.assert(fc.property(lists, (list) => assert.equal(toHex(merkleRoot(list)), mth(list).toString('hex'))));
});

test('every leaf has a path, and no other leaf, place, size or root fits it', () => {
  fc.assert(
    fc.property(lists, fc.nat(), fc.nat(), (list, position, flip) => {
      const index = position % list.length;
      const entry = list[index] as Uint8Array;
      const root = merkleRoot(list);
      const path = merklePath(list, index);
      assert.equal(verifyMerklePath(entry, index, list.length, path, root), true);
      assert.equal(verifyMerklePath(utf8('another entry'), index, list.length, path, root), false);
      assert.equal(verifyMerklePath(entry, list.length, list.length, path, root), false);
      assert.equal(verifyMerklePath(entry, index, list.length, [...path, root], root), false);
      assert.equal(verifyMerklePath(entry, index, list.length, path, mth([root])), false);
      if (path.length > 0) {
        assert.equal(verifyMerklePath(entry, index, list.length, path.slice(1), root), false);
        const forged = path.map((sibling) => sibling.slice());
        const sibling = forged[flip % forged.length] as Uint8Array;
        sibling[flip % 32] = (sibling[flip % 32] as number) ^ 1;
        assert.equal(verifyMerklePath(entry, index, list.length, forged, root), false);
      }
    }),
  );
});

test('an index that is none of the list has no path', () => {
  for (const index of [-1, 1, 0.5]) assert.throws(() => merklePath([utf8('a')], index), RangeError);
});

test('the paths of all entries are those of each', () => {
  for (let size = 0; size <= 33; size++) {
    const entries = Array.from({ length: size }, (_, index) => utf8(`entry ${index}`));
    assert.deepEqual(
      merklePaths(entries),
      entries.map((_, index) => merklePath(entries, index)),
    );
  }
});
