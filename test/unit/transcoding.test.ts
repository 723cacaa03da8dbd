/** Transcoding of hostile and odd data sets: an outcome or a refusal, in bounded depth, never anything else. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { encodedFrames } from '../../firmware/dimse/transcoding/frames.ts';
import { transcodedDepthMax } from '../../firmware/dimse/transcoding/limits.ts';
import { openCodecs } from '../../firmware/dimse/transcoding/pixel-codec.ts';
import { TranscodingRefusal } from '../../firmware/dimse/transcoding/refusal.ts';
import { transcodeDataSet } from '../../firmware/dimse/transcoding/transcode.ts';
import { targetsOf } from '../../firmware/dimse/transcoding/ways.ts';

const explicitLittle = '1.2.840.10008.1.2.1';
const implicitLittle = '1.2.840.10008.1.2';
const explicitBig = '1.2.840.10008.1.2.2';
const deflated = '1.2.840.10008.1.2.1.99';
const rle = '1.2.840.10008.1.2.5';
const seed = 20_261_122;

before(() => openCodecs());

function transcoded(bytes: Uint8Array, from: string, to: string): string {
  return Buffer.concat([...transcodeDataSet(bytes, from, to)]).toString('hex');
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

test('the ways: whatever is compressed to uncompressed, nothing from what is not known', () => {
  assert.deepEqual(targetsOf(rle), [explicitLittle, implicitLittle]);
  assert.deepEqual(targetsOf(explicitBig), [explicitLittle, implicitLittle]);
  assert.equal(targetsOf(explicitLittle)[0], implicitLittle);
  for (const none of [implicitLittle, '1.2.840.10008.1.2.4.100', '1.3.46.670589.33.1.4.1'])
    assert.deepEqual(targetsOf(none), []);
});

test('explicit to implicit: headers lose their VR, sequences get delimiters, group lengths go', () => {
  const kept = hex(`
    0800 0000 554c 0400 10000000
    0800 1800 5549 0400 312e3200
    0800 4011 5351 0000 14000000
      feff 00e0 0c000000  0800 5011 5549 0400 312e3300
    2000 1300 4953 0200 3120`);
  const written = hex(`
    0800 1800 04000000 312e3200
    0800 4011 ffffffff
      feff 00e0 ffffffff  0800 5011 04000000 312e3300  feff 0de0 00000000
    feff dde0 00000000
    2000 1300 02000000 3120`);
  assert.equal(transcoded(kept, explicitLittle, implicitLittle), written.toString('hex'));
  assert.equal(transcoded(deflateRawSync(kept), deflated, implicitLittle), written.toString('hex'));
});

test('big endian: numbers are turned round by their VR, text and bytes are not', () => {
  const kept = hex(`
    0008 0018 5549 0004 312e3200
    0028 0010 5553 0002 0102
    0028 0106 4154 0004 00080018
    0066 0016 4f46 0000 00000004 01020304
    0066 0017 4644 0008 0102030405060708
    7fe0 0010 4f57 0000 00000004 01020304`);
  const written = hex(`
    0800 1800 5549 0400 312e3200
    2800 1000 5553 0200 0201
    2800 0601 4154 0400 08001800
    6600 1600 4f46 0000 04000000 04030201
    6600 1700 4644 0800 0807060504030201
    e07f 1000 4f57 0000 04000000 02010403`);
  assert.equal(transcoded(kept, explicitBig, explicitLittle), written.toString('hex'));
});

test('a UN of undefined length keeps its items as they are', () => {
  const kept = hex(`
    0900 1010 554e 0000 ffffffff
      feff 00e0 ffffffff  0900 0110 02000000 4142  feff 0de0 00000000
    feff dde0 00000000`);
  assert.equal(transcoded(kept, explicitLittle, explicitLittle), kept.toString('hex'));
});

test('nested too deeply, or not what it was declared to be: refused', () => {
  const level = hex('0900 1010 5351 0000 ffffffff  feff 00e0 ffffffff');
  const deep = Buffer.concat(Array.from({ length: 100_000 }, () => level));
  assert.ok(transcodedDepthMax < 100_000);
  assert.throws(() => transcoded(deep, explicitLittle, implicitLittle), /levels deep/);
  const implicit = hex('0800 1800 04000000 312e3200');
  assert.throws(() => transcoded(implicit, explicitLittle, implicitLittle), TranscodingRefusal);
});

test('whatever is in a data set, there is an outcome or a refusal', () => {
  const plain = hex(`
    0800 1800 5549 0400 312e3200
    2800 0200 5553 0200 0100  2800 0400 4353 0c00 4d4f4e4f4348524f4d453220
    2800 1000 5553 0200 0400  2800 1100 5553 0200 0400
    2800 0001 5553 0200 0800  2800 0101 5553 0200 0800  2800 0301 5553 0200 0000
    e07f 1000 4f42 0000 ffffffff
      feff 00e0 00000000
      feff 00e0 42000000 01000000 40000000 ${'00'.repeat(56)} f107
    feff dde0 00000000`);
  assert.ok(transcoded(plain, rle, explicitLittle).endsWith('10000000' + '07'.repeat(16)));
  const bend = fc.array(fc.tuple(fc.nat(plain.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  let outcomes = 0;
  const run = (changes: readonly (readonly [number, number])[], end: number): void => {
    const bytes = Buffer.from(plain);
    for (const [place, value] of changes) bytes[place] = value;
    try {
      transcoded(bytes.subarray(0, end), rle, explicitLittle);
      outcomes++;
    } catch (error) {
      assert.ok(error instanceof TranscodingRefusal, String(error));
    }
  };
  const end = fc.oneof(
    { weight: 3, arbitrary: fc.constant(plain.length) },
    { weight: 1, arbitrary: fc.nat(plain.length) },
  );
  fc.assert(fc.property(bend, end, run), { seed, numRuns: 2_000 });
  assert.ok(outcomes > 100, `${outcomes} outcomes`);
});

test('fragments are told apart by their number, their offsets, or the starts of their code streams', () => {
  const [soi, soc] = [Uint8Array.of(0xff, 0xd8, 1, 2), Uint8Array.of(0xff, 0x4f, 1, 2)];
  const more = Uint8Array.of(3, 4);
  const none = new Uint8Array(0);
  const joined = (frames: readonly Uint8Array[]): string[] =>
    frames.map((frame) => Buffer.from(frame).toString('hex'));
  assert.deepEqual(joined(encodedFrames([none, soi, more], 2)), ['ffd80102', '0304'], 'one each');
  assert.deepEqual(joined(encodedFrames([none, soi, more], 1)), ['ffd801020304']);
  assert.deepEqual(joined(encodedFrames([none, soi, more, soc], 2)), ['ffd801020304', 'ff4f0102']);
  const table = hex('00000000 0a000000');
  assert.deepEqual(joined(encodedFrames([table, more, more, more], 2)), ['0304', '03040304']);
  assert.throws(() => encodedFrames([none, more, more, more], 2), TranscodingRefusal);
});
