import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compareBytes,
  concatBytes,
  equalBytes,
  fromHex,
  lengthPrefixed,
  toHex,
  u16,
  u32,
  u64,
  u8,
  utf8,
} from '../../firmware/src/encoding/bytes.ts';

const someBytes = fc.uint8Array({ maxLength: 64 });

test('hexadecimal is what Buffer writes and reads back', () => {
  fc.assert(
    fc.property(someBytes, (bytes) => {
      assert.equal(toHex(bytes), Buffer.from(bytes).toString('hex'));
      assert.deepEqual(fromHex(toHex(bytes)), bytes);
      assert.deepEqual(fromHex(toHex(bytes).toUpperCase()), bytes);
    }),
  );
});

test('half a byte and other letters are no hexadecimal', () => {
  for (const text of ['a', '0g', ' 00', '0x00', 'é0', '00\n'])
    assert.throws(() => fromHex(text), RangeError, text);
});

test('order and equality are those of Buffer', () => {
  fc.assert(
    fc.property(someBytes, someBytes, (a, b) => {
      assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(a, b));
      assert.equal(equalBytes(a, b), Buffer.compare(a, b) === 0);
      assert.equal(equalBytes(a, a.slice()), true);
    }),
  );
});

test('a prefix sorts first', () => {
  assert.ok(compareBytes(utf8('ab'), utf8('abc')) < 0);
});

test('integers are big-endian and of their own width', () => {
  assert.equal(toHex(u8(0xfe)), 'fe');
  assert.equal(toHex(u16(0x0102)), '0102');
  assert.equal(toHex(u32(0xfedcba98)), 'fedcba98');
  assert.equal(toHex(u64(Number.MAX_SAFE_INTEGER)), '001fffffffffffff');
});

test('integers outside their width are refused', () => {
  for (const [write, width] of [
    [u8, 8],
    [u16, 16],
    [u32, 32],
    [u64, 53],
  ] as const) {
    for (const value of [-1, 0.5, Number.NaN, 2 ** width]) assert.throws(() => write(value), RangeError);
    assert.doesNotThrow(() => write(2 ** width - 1));
  }
});

test('length-prefixed fields cannot run into each other', () => {
  fc.assert(
    fc.property(someBytes, someBytes, someBytes, someBytes, (a, b, c, d) => {
      const joined = concatBytes(lengthPrefixed(a), lengthPrefixed(b));
      const other = concatBytes(lengthPrefixed(c), lengthPrefixed(d));
      assert.equal(equalBytes(joined, other), equalBytes(a, c) && equalBytes(b, d));
    }),
  );
  assert.equal(toHex(lengthPrefixed(utf8('ab'))), '000000026162');
});
