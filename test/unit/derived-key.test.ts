/** HKDF-Expand of one block, and random bytes that were drawn ahead. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expand } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { concatBytes, toHex } from '../../firmware/src/encoding/bytes.ts';
import { derivedKey } from '../../firmware/src/store/derived-key.ts';
import { freshRandom } from '../../firmware/src/store/fresh-random.ts';
import { freshRandomBytes } from '../../firmware/src/store/limits.ts';

test('a derived key is HKDF-Expand-SHA-256 of RFC 5869, however its purpose is divided', () => {
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const info = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 4 });
  fc.assert(
    fc.property(key, info, (from, pieces) => {
      assert.equal(
        toHex(derivedKey(from, ...pieces)),
        toHex(expand(sha256, from, concatBytes(...pieces), 32)),
      );
    }),
    { seed: 5869, numRuns: 200 },
  );
});

test('random bytes are given once, whatever was drawn before, and are not changed later', () => {
  const given = Array.from({ length: 1_000 }, (_, index) => freshRandom(16 + (index % 17)));
  const before = given.map(toHex);
  freshRandom(freshRandomBytes);
  assert.deepEqual(given.map(toHex), before);
  const firsts = new Set(given.map((bytes) => toHex(bytes.subarray(0, 16))));
  assert.equal(firsts.size, given.length);
  assert.throws(() => freshRandom(freshRandomBytes + 1), RangeError);
});
