/** Messages into P-DATA-TF PDUs (PS3.8 9.3.5, annex E), never longer than the peer allows. */
import { concatBytes } from '../src/encoding/bytes.ts';
import { pduSentBytesMax } from './limits.ts';
import { pduType } from './pdu.ts';

/** The smallest maximum that still carries an even piece of data: PDV header of 6 bytes and 2 bytes. */
export const pduBytesUsable = 8;

/** Bytes of data in one PDV to a peer whose maximum is this (0: none). Even, as PS3.8 annex E asks of fragments. */
export function pdvDataBytesMax(peerPduBytesMax: number): number {
  const pduBytes = peerPduBytesMax === 0 ? pduSentBytesMax : Math.min(peerPduBytesMax, pduSentBytesMax);
  return (pduBytes - 6) & ~1;
}

/** Header of a P-DATA-TF with one PDV; the data follow. */
export function pdvHeader(contextId: number, command: boolean, last: boolean, dataBytes: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(12));
  header.setUint8(0, pduType.data);
  header.setUint32(2, dataBytes + 6);
  header.setUint32(6, dataBytes + 2);
  header.setUint8(10, contextId);
  header.setUint8(11, (command ? 1 : 0) | (last ? 2 : 0));
  return new Uint8Array(header.buffer);
}

/** A whole command set as PDUs, one a piece. */
export function commandPdus(contextId: number, command: Uint8Array, dataBytesMax: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let offset = 0; offset < command.length; offset += dataBytesMax) {
    const piece = command.subarray(offset, offset + dataBytesMax);
    const last = offset + dataBytesMax >= command.length;
    // Joined: a copy of some 150 bytes costs less than another piece of a write.
    pieces.push(concatBytes(pdvHeader(contextId, true, last, piece.length), piece));
  }
  return pieces;
}

/**
 * A data set as PDUs, each as full as the peer allows and as soon as it is full; the pieces are views of the chunks.
 * One chunk may be held back until the next or the end, since the last PDV must be marked.
 */
export async function* dataSetPdus(
  contextId: number,
  data: AsyncIterable<Uint8Array>,
  dataBytesMax: number,
): AsyncGenerator<readonly Uint8Array[]> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of data) {
    for (let offset = 0; offset < chunk.length;) {
      if (length === dataBytesMax) {
        yield [pdvHeader(contextId, false, false, length), ...pieces];
        pieces = [];
        length = 0;
      }
      const piece = chunk.subarray(offset, offset + dataBytesMax - length);
      pieces.push(piece);
      length += piece.length;
      offset += piece.length;
    }
  }
  yield [pdvHeader(contextId, false, true, length), ...pieces];
}
