import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Tokenizer } from 'cborg';
import fc from 'fast-check';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import {
  decodeCanonical,
  decodeOwn,
  encodeCanonical,
  type CborValue,
} from '../../firmware/src/encoding/canonical-cbor.ts';

const { cbor } = fc.letrec<{ cbor: CborValue; list: CborValue; map: CborValue }>((tie) => ({
  cbor: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map((value) => (Object.is(value, -0) ? 0 : value)),
    fc.string({ unit: 'binary' }),
    fc.uint8Array({ maxLength: 40 }),
    tie('list'),
    tie('map'),
  ),
  list: fc.array(tie('cbor'), { maxLength: 4 }),
  map: fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 8 }), tie('cbor'), {
    maxKeys: 4,
    noNullPrototype: true,
  }),
}));

test('every allowed value decodes to itself and has one encoding', () => {
  fc.assert(
    fc.property(cbor, (value) => {
      const bytes = encodeCanonical(value);
      const decoded = decodeCanonical(bytes);
      assert.deepEqual(decoded, value);
      assert.deepEqual(encodeCanonical(decoded), bytes);
    }),
  );
});

test('what decodes at all encodes to the same bytes', () => {
  fc.assert(
    fc.property(cbor, fc.nat(), fc.integer({ min: 0, max: 255 }), (value, position, byte) => {
      const bytes = encodeCanonical(value).slice();
      bytes[position % bytes.length] = byte;
      let decoded: CborValue;
      try {
        decoded = decodeCanonical(bytes);
      } catch (error) {
        assert.ok(error instanceof RangeError);
        return;
      }
      assert.deepEqual(encodeCanonical(decoded), bytes);
    }),
    { numRuns: 500 },
  );
});

test('map keys are ordered by length, then by bytes', () => {
  assert.equal(toHex(encodeCanonical({ bb: 1, c: 2, a: 3, '': 4 })), 'a46004616103616302626262' + '01');
});

// Well-formed CBOR (RFC 8949) that has another, canonical form, or none in the data model.
const refused: Readonly<Record<string, string>> = {
  'keys out of order': 'a2616201616101',
  'a key twice': 'a2616101616102',
  'an integer in two bytes': '1801',
  'a length in two bytes': '780161',
  'a byte string of indefinite length': '5f4101ff',
  'a list of indefinite length': '9f01ff',
  'a map of indefinite length': 'bf616101ff',
  'a half-precision float': 'f93c00',
  'a single-precision float': 'fa3f800000',
  'a double': 'fb3ff0000000000000',
  'minus zero': 'fb8000000000000000',
  'not a number': 'fb7ff8000000000000',
  undefined: 'f7',
  'a simple value': 'f0',
  'an integer beyond 2^53': '1b0020000000000000',
  'the largest unsigned integer': '1bffffffffffffffff',
  'an integer below -2^53': '3b0020000000000000',
  'a link': 'd82a450001550000',
  'another tag': 'c101',
  'an integer as a key': 'a10101',
  'text that is not UTF-8': '61ff',
  'bytes after the value': '0101',
  'a byte string that ends early': '4201',
  nothing: '',
  // Names that the codec treats as those of a link.
  'a map with link-like fields': 'a2612f616165627974657' + '36161',
};

for (const [name, hex] of Object.entries(refused)) {
  test(`refuses ${name}`, () => {
    assert.throws(() => decodeCanonical(fromHex(hex)), RangeError);
  });
}

test('refuses nesting deeper than 16, however deep, without exhausting the stack', () => {
  const nested = (depth: number): Uint8Array => Uint8Array.from([...new Uint8Array(depth).fill(0x81), 0]);
  assert.doesNotThrow(() => decodeCanonical(nested(16)));
  assert.throws(() => decodeCanonical(nested(17)), RangeError);
  assert.throws(() => decodeCanonical(nested(200_000)), RangeError);
});

test('reads no more data items than it was told', () => {
  const counted = mock.method(Tokenizer.prototype, 'next');
  const items = 4_000_000;
  const dense = new Uint8Array(items + 5);
  dense.set(fromHex('9a003d0900'));
  assert.throws(() => decodeCanonical(dense, 1000), { cause: new RangeError('too many data items') });
  assert.equal(counted.mock.callCount(), 1000);
  mock.restoreAll();
  const exact = encodeCanonical({ a: 1, b: [2, 3] });
  assert.deepEqual(decodeCanonical(exact, 7), { a: 1, b: [2, 3] });
  assert.throws(() => decodeCanonical(exact, 6), RangeError);
});

test('a map keeps a field that is named like a prototype', () => {
  const bytes = fromHex('a1695f5f70726f746f5f5f01');
  const decoded = decodeCanonical(bytes) as Readonly<Record<string, CborValue>>;
  assert.deepEqual(Object.keys(decoded), ['__proto__']);
  assert.equal(Object.getPrototypeOf(decoded), Object.prototype);
});

test('does not encode what has no canonical form', () => {
  for (const value of [
    0.5,
    Number.NaN,
    -0,
    2 ** 53,
    undefined,
    1n,
    new Date(0),
    new Map(),
    '\ud800',
    { '\udfff': 1 },
  ]) {
    assert.throws(() => encodeCanonical(value as CborValue), RangeError);
  }
});

test('encodes to plain byte arrays that share no memory, of every size', () => {
  for (const length of [0, 10, 200, 5000, 100_000]) {
    const bytes = encodeCanonical(new Uint8Array(length));
    assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
    assert.equal(bytes.buffer.byteLength, bytes.byteLength);
  }
});

test('decodes byte strings that do not change with the bytes that held them', () => {
  for (const whole of [
    encodeCanonical([fromHex('010203')]),
    Buffer.from(encodeCanonical([fromHex('010203')])),
  ]) {
    const [field] = decodeCanonical(whole) as readonly [Uint8Array];
    whole.fill(0);
    assert.deepEqual(field, fromHex('010203'));
  }
});

test('what was encoded here decodes to the same without being encoded again, and keeps nothing of what held it', () => {
  fc.assert(
    fc.property(cbor, (value) => {
      assert.deepEqual(decodeOwn(encodeCanonical(value)), value);
    }),
  );
  const whole = Buffer.from(encodeCanonical([fromHex('010203')]));
  const [field] = decodeOwn(whole) as readonly [Uint8Array];
  whole.fill(0);
  assert.deepEqual(field, fromHex('010203'));
  assert.equal(field.buffer.byteLength, 3);
  assert.throws(() => decodeOwn(fromHex('ff')), RangeError);
});
