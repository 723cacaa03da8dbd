/** Which fragments of encapsulated pixel data make up each frame (PS3.5, A.4; PS3.3, C.7.6.3.1.8). */
import { concatBytes } from '../../src/encoding/bytes.ts';
import { TranscodingRefusal } from './refusal.ts';

/** `fragments` begins with the basic offset table. @throws TranscodingRefusal if it cannot be told. */
export function encodedFrames(fragments: readonly Uint8Array[], frames: number): Uint8Array[] {
  const [table = new Uint8Array(0), ...pieces] = fragments;
  if (pieces.length === frames) return pieces;
  if (frames === 1) return [concatBytes(...pieces)];
  const starts = table.length === 0 ? codeStreamStarts(pieces) : offsetsIn(table, pieces);
  if (starts.length !== frames)
    throw new TranscodingRefusal('the fragments of compressed data cannot be told apart by frame');
  return starts.map((start, index) => concatBytes(...pieces.slice(start, starts[index + 1])));
}

/** Indices of the fragments at the offsets of the table; each fragment is preceded by eight bytes. */
function offsetsIn(table: Uint8Array, pieces: readonly Uint8Array[]): number[] {
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  const wanted = new Set(
    Array.from({ length: Math.floor(table.length / 4) }, (_, i) => view.getUint32(4 * i, true)),
  );
  const starts: number[] = [];
  let offset = 0;
  for (const [index, piece] of pieces.entries()) {
    if (wanted.has(offset)) starts.push(index);
    offset += 8 + piece.length;
  }
  return starts;
}

/** Fragments that begin with a start of image (JPEG, JPEG-LS: FFD8) or of a code stream (JPEG 2000: FF4F). */
function codeStreamStarts(pieces: readonly Uint8Array[]): number[] {
  return pieces.flatMap((piece, index) =>
    piece[0] === 0xff && (piece[1] === 0xd8 || piece[1] === 0x4f) ? [index] : [],
  );
}
