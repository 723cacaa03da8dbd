/** When two objects of one UID show the same: the rule by which a corrected header is told from another image. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { encodeElement, encodeSequence } from '../../firmware/dimse/element-encoder.ts';
import { explicitLittleEndian } from '../../firmware/dimse/data-set-syntax.ts';
import { digestPixels } from '../../firmware/dimse/pixel-digest.ts';
import { uids } from '../../firmware/dimse/index.ts';
import { concatBytes, fromHex, toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { inPieces } from '../support/dimse-tools.ts';

const explicit = uids.explicitVrLittleEndian;
const element = (tag: number, vr: string, value: Uint8Array): Uint8Array =>
  encodeElement(explicitLittleEndian, tag, vr, value);
const name = (text: string): Uint8Array => element(0x00100010, 'PN', utf8(text));
const pixels = (value: Uint8Array): Uint8Array => element(0x7fe00010, 'OW', value);
const image = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);

async function digest(data: Uint8Array, syntax = explicit, pieceBytes = 512): Promise<string> {
  const result = await digestPixels(inPieces(data, pieceBytes), syntax);
  return result.kind === 'digest' ? toHex(result.digest) : result.reason;
}

test('other attributes before and after the pixels change nothing; one other pixel does', async () => {
  const original = await digest(concatBytes(name('Canary^Win '), pixels(image)));
  const corrected = concatBytes(
    name('Canary^Winifred '),
    element(0x00100020, 'LO', utf8('N-1001')),
    pixels(image),
    element(0xfffcfffc, 'OB', new Uint8Array(8)),
  );
  assert.equal(await digest(corrected), original);
  const other = image.slice();
  other[999] = 7;
  assert.notEqual(await digest(concatBytes(name('Canary^Win '), pixels(other))), original);
  assert.notEqual(await digest(concatBytes(name('Canary^Win '), pixels(image.subarray(0, 998)))), original);
  assert.notEqual(await digest(name('Canary^Win ')), original, 'an object without its pixels shows less');
});

test('every element that is shown or played counts, and none passes for another', async () => {
  const value = image.subarray(0, 16);
  const shown = [
    element(0x7fe00010, 'OW', value),
    element(0x7fe00008, 'OF', value),
    element(0x7fe00009, 'OD', value),
    element(0x56000020, 'OF', value),
    element(0x00420011, 'OB', value),
    encodeSequence(explicitLittleEndian, 0x54000100, element(0x54001010, 'OW', value)),
  ];
  const digests = await Promise.all(shown.map((bytes) => digest(bytes)));
  assert.equal(new Set(digests).size, shown.length);
  const nothing = await digest(name('Canary^Win '));
  assert.equal(await digest(element(0x00080060, 'CS', utf8('SR'))), nothing);
  assert.ok(!digests.includes(nothing));
});

test('fragments of compressed pixels count with their limits', async () => {
  const head = fromHex('e07f10004f420000ffffffff');
  const item = (bytes: Uint8Array): Uint8Array =>
    concatBytes(fromHex('feff00e0'), Uint8Array.of(bytes.length, 0, 0, 0), bytes);
  const end = fromHex('feffdde000000000');
  const syntax = uids.explicitVrLittleEndian;
  const whole = await digest(
    concatBytes(head, item(new Uint8Array(0)), item(image.subarray(0, 8)), end),
    syntax,
  );
  const split = await digest(
    concatBytes(head, item(new Uint8Array(0)), item(image.subarray(0, 4)), item(image.subarray(4, 8)), end),
    syntax,
  );
  assert.match(whole, /^[0-9a-f]{64}$/);
  assert.notEqual(whole, split);
});

test('a digest does not depend on the pieces in which the data set comes', async () => {
  const data = concatBytes(name('Canary^Win '), pixels(image));
  const expected = await digest(data);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1100 }), async (pieceBytes) => {
      assert.equal(await digest(data, explicit, pieceBytes), expected);
    }),
    { seed: 3, numRuns: 40 },
  );
});

test('a deflated data set is compared by what it inflates to', async () => {
  const plain = concatBytes(name('Canary^Win '), pixels(image));
  const deflated = uids.deflatedExplicitVrLittleEndian;
  assert.equal(await digest(deflateRawSync(plain), deflated), await digest(plain));
  assert.equal(await digest(deflateRawSync(plain, { level: 0 }), deflated), await digest(plain));
});

test('what cannot be read to its end is an answer, not a fault', async () => {
  const plain = concatBytes(name('Canary^Win '), pixels(image));
  assert.equal(await digest(plain.subarray(0, -1)), 'it ends within an element');
  assert.match(await digest(concatBytes(plain, fromHex('feffdde000000000'))), /outside of a sequence/);
  const deflated = uids.deflatedExplicitVrLittleEndian;
  assert.equal(await digest(utf8('no deflate stream at all'), deflated), 'it cannot be inflated');
  assert.equal(await digest(deflateRawSync(plain).subarray(0, 100), deflated), 'it cannot be inflated');
  assert.match(await digest(deflateRawSync(fromHex('feffdde000000000')), deflated), /outside of a sequence/);
});

test('a disk that fails while it is read is a fault', async () => {
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield name('Canary^Win ');
    throw new Error('unplugged');
  };
  for (const syntax of [explicit, uids.deflatedExplicitVrLittleEndian])
    await assert.rejects(digestPixels(failing(), syntax), /unplugged/);
});
