import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { isPrimeOrderKey } from '../../firmware/src/ledger/public-keys.ts';

const { Point } = ed25519;

/** A point of order 8, as in draft-irtf-cfrg-ristretto255 and in "Taming the many EdDSAs" (ePrint 2020/1244). */
const torsion = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');

/** The rule by its definition: noble decodes canonically and multiplies by L. */
function byDefinition(key: Uint8Array): boolean {
  let point: InstanceType<typeof Point>;
  try {
    point = Point.fromBytes(key);
  } catch (error) {
    assert.ok(error instanceof Error);
    return false;
  }
  return !point.is0() && point.isTorsionFree();
}

test('agrees with multiplication by L on any 32 bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
      assert.equal(isPrimeOrderKey(key), byDefinition(key), toHex(key));
    }),
    { numRuns: 600 },
  );
});

test('a key of prime order is accepted, the same with any torsion is not', () => {
  for (let n = 1; n <= 60; n++) {
    const point = Point.BASE.multiply(BigInt(n * n * n));
    assert.equal(isPrimeOrderKey(point.toBytes()), true);
    assert.equal(isPrimeOrderKey(point.negate().toBytes()), true);
    for (let order = 1; order < 8; order++) {
      const with8 = point.add(torsion.multiplyUnsafe(BigInt(order)));
      assert.equal(isPrimeOrderKey(with8.toBytes()), false, `torsion ${order}, multiple ${n}`);
    }
  }
});

test('points of small order are refused', () => {
  for (let order = 0; order < 8; order++) {
    assert.equal(isPrimeOrderKey(torsion.multiplyUnsafe(BigInt(order)).toBytes()), false);
  }
});

// Encodings with y of p or more, or with the sign of x = 0 set (ePrint 2020/1244, table 1, and RFC 8032, 5.1.3).
const notCanonical = [
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

for (const hex of notCanonical) {
  test(`refuses ${hex.slice(0, 4)}…${hex.slice(-2)}, which is not canonical`, () => {
    assert.equal(isPrimeOrderKey(fromHex(hex)), false);
  });
}

test('every y that has room for p to be added is refused so written', () => {
  for (let y = 0; y < 19; y++) {
    for (const top of [0x7f, 0xff]) {
      const withP = Uint8Array.of(y + 0xed, ...new Uint8Array(30).fill(0xff), top);
      assert.equal(isPrimeOrderKey(withP), false);
      assert.equal(byDefinition(withP), false);
    }
  }
});

test('other lengths are refused', () => {
  const key = Point.BASE.toBytes();
  assert.equal(isPrimeOrderKey(key.subarray(0, 31)), false);
  assert.equal(isPrimeOrderKey(Uint8Array.of(...key, 0)), false);
  assert.equal(isPrimeOrderKey(new Uint8Array(0)), false);
});
