/** What follows the last good frame of a log, wherever in a sector that frame begins: cut short, or damaged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { judgeTail } from '../../firmware/src/store/append-log-damage.ts';
import { encodeFrame, firstChain } from '../../firmware/src/store/append-log-format.ts';

const sectorBytes = 512;
const before = firstChain('votes');
const frameOf = (bytes: number): Uint8Array => encodeFrame(before, [utf8('v'.repeat(bytes))]).bytes;

/** Places at the end of a sector, where its head lies in two, and one at which it does not. */
const offsets = [0, ...Array.from({ length: 44 }, (_, left) => 2 * sectorBytes - 1 - left)];

test('a flipped bit of a whole frame is damage at every place of a sector', () => {
  for (const offset of offsets) {
    const frame = frameOf(260);
    for (let bit = 0; bit < 8 * frame.length; bit++) {
      const flipped = frame.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const tail = judgeTail(flipped, offset, before);
      assert.equal(tail.kind, 'damaged', `offset ${offset}, bit ${bit & 7} of byte ${bit >> 3}`);
    }
  }
});

test('no record makes a flipped bit look like a sector that was not written', () => {
  const zeros = encodeFrame(before, [utf8('vote'), new Uint8Array(4096)]).bytes;
  for (let byte = 0; byte < zeros.length; byte += 7) {
    const flipped = zeros.slice();
    flipped[byte] = (flipped[byte] ?? 0) ^ 8;
    assert.equal(judgeTail(flipped, 64, before).kind, 'damaged', `byte ${byte}`);
  }
});

test('no record makes a frame that was cut short look as if a later one were intact', () => {
  const inner = encodeFrame(before, [utf8('inner')]).bytes;
  const frame = encodeFrame(before, [concatBytes(new Uint8Array(2048), inner)]).bytes;
  const torn = frame.slice().fill(0, 512, 1024);
  assert.equal(judgeTail(torn, 0, before).kind, 'torn');
});

test('a flipped bit of the length is damage also where the next frame was cut short', () => {
  const frame = frameOf(300);
  const next = encodeFrame(frame.subarray(8, 40), [utf8('n'.repeat(300))]).bytes.subarray(0, 100);
  for (let bit = 0; bit < 32; bit++) {
    const flipped = concatBytes(frame, next);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(judgeTail(flipped, 64, before).kind, 'damaged', `bit ${bit & 7} of byte ${bit >> 3}`);
  }
});

test('a frame of which any sectors are missing was cut short, at every place of a sector', () => {
  for (const offset of offsets) {
    for (const bytes of [20, 300, 1400, 70_000]) {
      const frame = frameOf(bytes);
      const first = sectorBytes - (offset % sectorBytes);
      const starts = [0];
      for (let at = first; at < frame.length; at += sectorBytes) starts.push(at);
      const parts = starts.map((from, index) => [from, starts[index + 1] ?? frame.length] as const);
      // Each alone, and each with all behind it.
      for (const [index, [from, end]] of [...parts.entries()].slice(0, 6)) {
        const one = frame.slice().fill(0, from, end);
        if (parts.length > 1)
          assert.equal(judgeTail(one, offset, before).kind, 'torn', `${offset}, ${bytes}, part ${index}`);
        const rest = frame.slice().fill(0, from);
        const kind = from === 0 ? 'clean' : 'torn';
        assert.equal(judgeTail(rest, offset, before).kind, kind, `${offset}, ${bytes}, from part ${index}`);
      }
    }
  }
});
