import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import * as browser from '../../firmware/src/sha256/browser.ts';
import * as node from '../../firmware/src/sha256/node.ts';

/** NIST, "Examples with intermediate values", SHA-256. */
const examples: Readonly<Record<string, string>> = {
  '': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  abc: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq:
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
};

/** RFC 4231, test cases 2, 3 and 6: a short key, bytes that are no text, a key that is longer than a block. */
const macs: readonly (readonly [key: Uint8Array, message: Uint8Array, mac: string])[] = [
  [
    utf8('Jefe'),
    utf8('what do ya want for nothing?'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  [
    new Uint8Array(20).fill(0xaa),
    new Uint8Array(50).fill(0xdd),
    '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe',
  ],
  [
    new Uint8Array(131).fill(0xaa),
    utf8('Test Using Larger Than Block-Size Key - Hash Key First'),
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  ],
];

for (const [where, { sha256, hmacSha256 }] of Object.entries({ node, browser })) {
  for (const [text, digest] of Object.entries(examples))
    test(`${where}: the example of NIST of ${text.length} bytes`, () =>
      assert.equal(toHex(sha256(utf8(text))), digest));

  test(`${where}: agrees with node:crypto at every length up to four blocks, and on long messages`, () => {
    for (const length of [...Array.from({ length: 257 }, (_, index) => index), 4096, 100_003]) {
      const bytes = Uint8Array.from({ length }, (_, index) => (31 * index + length) % 256);
      assert.equal(toHex(sha256(bytes)), createHash('sha256').update(bytes).digest('hex'), `${length} bytes`);
    }
  });

  test(`${where}: HMAC as in RFC 4231, and as node:crypto at lengths around a block`, () => {
    for (const [key, message, mac] of macs) assert.equal(toHex(hmacSha256(key, message)), mac);
    const bytes = Uint8Array.from({ length: 257 }, (_, index) => (31 * index) % 256);
    for (const length of [0, 1, 31, 32, 63, 64, 65, 257]) {
      const key = bytes.subarray(0, length);
      const expected = createHmac('sha256', key).update(bytes).digest('hex');
      assert.equal(toHex(hmacSha256(key, bytes)), expected, `a key of ${length} bytes`);
    }
  });

  test(`${where}: results share no memory`, () => {
    const first = sha256(utf8('first'));
    const before = toHex(first);
    sha256(utf8('second'));
    assert.equal(toHex(first), before);
    assert.equal(first.buffer.byteLength, 32);
    assert.equal(hmacSha256(utf8('key'), utf8('message')).buffer.byteLength, 32);
  });
}
