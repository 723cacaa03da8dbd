import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { sha256 as browser } from '../../firmware/src/sha256/browser.ts';
import { sha256 as node } from '../../firmware/src/sha256/node.ts';

/** NIST, "Examples with intermediate values", SHA-256. */
const examples: Readonly<Record<string, string>> = {
  '': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  abc: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq:
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
};

for (const [where, sha256] of Object.entries({ node, browser })) {
  for (const [text, digest] of Object.entries(examples))
    test(`${where}: the example of NIST of ${text.length} bytes`, () =>
      assert.equal(toHex(sha256(utf8(text))), digest));

  test(`${where}: agrees with node:crypto at every length up to four blocks, and on long messages`, () => {
    for (const length of [...Array.from({ length: 257 }, (_, index) => index), 4096, 100_003]) {
      const bytes = Uint8Array.from({ length }, (_, index) => (31 * index + length) % 256);
      assert.equal(toHex(sha256(bytes)), createHash('sha256').update(bytes).digest('hex'), `${length} bytes`);
    }
  });

  test(`${where}: results share no memory`, () => {
    const first = sha256(utf8('first'));
    const before = toHex(first);
    sha256(utf8('second'));
    assert.equal(toHex(first), before);
    assert.equal(first.buffer.byteLength, 32);
  });
}
