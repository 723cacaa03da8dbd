import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { concatBytes, equalBytes, u32 } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { encodeFrame, FrameDecoder } from '../../firmware/src/p2p/framing.ts';

/** Cuts bytes at the given places. */
function* pieces(bytes: Uint8Array, cuts: readonly number[]): Iterable<Uint8Array> {
  let from = 0;
  for (const cut of [...cuts].map((c) => c % (bytes.length + 1)).sort((a, b) => a - b)) {
    yield bytes.subarray(from, Math.max(from, cut));
    from = Math.max(from, cut);
  }
  yield bytes.subarray(from);
}

describe('frames', () => {
  it('have a big-endian u32 length', () => {
    assert.deepEqual(encodeFrame(Uint8Array.of(1, 2, 3)), Uint8Array.of(0, 0, 0, 3, 1, 2, 3));
  });

  it('come out as they went in, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), fc.array(fc.nat()), (payloads, cuts) => {
        const decoder = new FrameDecoder('birch');
        const decoded: Uint8Array[] = [];
        for (const piece of pieces(concatBytes(...payloads.map(encodeFrame)), cuts)) {
          decoder.push(piece);
          for (let frame = decoder.next(40); frame !== undefined; frame = decoder.next(40))
            decoded.push(frame);
        }
        assert.equal(decoder.bytes, 0);
        assert.equal(decoded.length, payloads.length);
        assert.ok(decoded.every((frame, i) => equalBytes(frame, payloads[i] as Uint8Array)));
      }),
    );
  });

  it('over the limit are refused as soon as their length is known', () => {
    const decoder = new FrameDecoder('birch');
    decoder.push(u32(101));
    assert.throws(
      () => decoder.next(100),
      (error: unknown) =>
        error instanceof AppError && error.code === 'PEER_MISBEHAVED' && error.message.includes('birch'),
    );
    const exact = new FrameDecoder('birch');
    exact.push(encodeFrame(new Uint8Array(100)));
    assert.equal(exact.next(100)?.length, 100);
  });
});
