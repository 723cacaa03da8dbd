/**
 * Framing of what a peer sends (PS3.8 9.3). Pulled, so that the caller can stop between any two events: that is how
 * backpressure reaches the socket. The data of a P-DATA-TF are handed on as views of the received chunks, never
 * gathered: one PDV may come as several fragments, and the memory in use does not depend on any length the peer states.
 * Control PDUs are handed on as values of their own.
 */
import { MalformedBytes } from './byte-cursor.ts';
import { associateBytesMax } from './limits.ts';
import { decodeAssociateAccept, decodeAssociateRequest } from './pdu-decode.ts';
import { joinBytes } from './join-bytes.ts';
import {
  type Abort,
  abortReason,
  type AssociateAccept,
  type AssociateReject,
  type AssociateRequest,
  pduType,
} from './pdu.ts';

/** A piece of a message: part or whole of one PDV. */
export interface Fragment {
  readonly contextId: number;
  /** Of the command set; else of the data set. */
  readonly command: boolean;
  /** The end of the command or data set: the last piece of a PDV that is marked as the last fragment. */
  readonly last: boolean;
  /** A view of the receive buffer, which the next read overwrites: whoever keeps it copies it. May be empty. */
  readonly bytes: Uint8Array;
}

export type PduEvent =
  /** An A-ASSOCIATE-RQ is whole, of so many bytes; the next event comes of decoding it. */
  | { readonly kind: 'whole-request'; readonly bytes: number }
  | { readonly kind: 'associate-request'; readonly request: AssociateRequest }
  | { readonly kind: 'associate-accept'; readonly accept: AssociateAccept }
  | { readonly kind: 'associate-reject'; readonly reject: AssociateReject }
  | { readonly kind: 'data'; readonly fragment: Fragment }
  | { readonly kind: 'release-request' }
  | { readonly kind: 'release-response' }
  | { readonly kind: 'abort'; readonly abort: Abort }
  /** Framing is lost: nothing more is read. `reason` is the A-ABORT's (abortReason). */
  | { readonly kind: 'invalid'; readonly reason: number; readonly detail: string };

/** Where in the byte stream the reader stands. */
type Position =
  | { readonly kind: 'pdu-header' }
  | {
      readonly kind: 'pdu-body';
      readonly type: number;
      readonly length: number;
      /** What has come of it, and room for more: it grows with what comes, not with what is announced. */
      body: Uint8Array;
      filled: number;
      isTold: boolean;
    }
  | { readonly kind: 'pdv-header'; readonly pduLeft: number }
  | {
      readonly kind: 'pdv-body';
      readonly contextId: number;
      readonly control: number;
      pdvLeft: number;
      readonly pduLeftAfter: number;
    }
  | { readonly kind: 'lost' };

const pduHeader: Position = { kind: 'pdu-header' };
const lost: Position = { kind: 'lost' };
const headerBytes = 6;

export class PduReader {
  readonly #pduBytesMax: number;
  #position: Position = pduHeader;
  /** Received; not yet read from `#offset` of the chunk at `#head` on. Not shifted, which costs O(n) for long arrays. */
  #chunks: Uint8Array[] = [];
  #head = 0;
  #offset = 0;
  #available = 0;

  /** @param pduBytesMax what was announced to the peer; a longer P-DATA-TF is invalid. */
  constructor(pduBytesMax: number) {
    this.#pduBytesMax = pduBytesMax;
  }

  /** The chunk must stay as it is until it is used up (`next` gave undefined) and what is left was taken by `detach`. */
  push(chunk: Uint8Array): void {
    if (this.#position === lost || chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#available += chunk.length;
  }

  /** Copies what is not read yet, so that the caller may read into the same buffer again: the head of a PDU, at most. */
  detach(): void {
    const index = this.#chunks.length - 1;
    const chunk = this.#chunks[index];
    // What was there before the last chunk was copied when that one came.
    if (chunk === undefined) return;
    const read = index === this.#head ? this.#offset : 0;
    this.#chunks[index] = new Uint8Array(chunk.subarray(read));
    if (index === this.#head) this.#offset = 0;
  }

  /** True if a PDU has begun and not ended. */
  get midPdu(): boolean {
    return this.#position !== pduHeader || this.#available > 0;
  }

  /** The next event, or undefined until more bytes are pushed. */
  next(): PduEvent | undefined {
    for (;;) {
      const position = this.#position;
      switch (position.kind) {
        case 'lost':
          return undefined;
        case 'pdu-header': {
          const header = this.#take(headerBytes);
          if (header === undefined) return undefined;
          const event = this.#beginPdu(header[0] as number, u32At(header, 2));
          if (event !== undefined) return event;
          break;
        }
        case 'pdu-body': {
          this.#gather(position);
          if (position.filled < position.length) return undefined;
          if (position.type === pduType.associateRequest && !position.isTold) {
            position.isTold = true;
            return { kind: 'whole-request', bytes: position.length };
          }
          this.#position = pduHeader;
          return this.#control(position.type, position.body);
        }
        case 'pdv-header': {
          const header = this.#take(headerBytes);
          if (header === undefined) return undefined;
          const event = this.#beginPdv(header, position.pduLeft);
          if (event !== undefined) return event;
          break;
        }
        case 'pdv-body': {
          if (this.#available === 0 && position.pdvLeft > 0) return undefined;
          return this.#fragment(position);
        }
      }
    }
  }

  #beginPdu(type: number, length: number): PduEvent | undefined {
    switch (type) {
      case pduType.data:
        if (length < headerBytes || length > this.#pduBytesMax)
          return this.#invalid(abortReason.invalidParameter, `P-DATA-TF of ${length} bytes`);
        this.#position = { kind: 'pdv-header', pduLeft: length };
        return undefined;
      case pduType.associateRequest:
      case pduType.associateAccept:
        if (length < 68 || length > associateBytesMax)
          return this.#invalid(abortReason.invalidParameter, `A-ASSOCIATE of ${length} bytes`);
        break;
      case pduType.associateReject:
      case pduType.releaseRequest:
      case pduType.releaseResponse:
      case pduType.abort:
        if (length !== 4)
          return this.#invalid(abortReason.invalidParameter, `PDU of type ${type} with ${length} bytes`);
        break;
      default:
        return this.#invalid(abortReason.unrecognizedPdu, `PDU of type ${type}`);
    }
    this.#position = { kind: 'pdu-body', type, length, body: new Uint8Array(0), filled: 0, isTold: false };
    return undefined;
  }

  #beginPdv(header: Uint8Array, pduLeft: number): PduEvent | undefined {
    const length = u32At(header, 0);
    const contextId = header[4] as number;
    const pduLeftAfter = pduLeft - 4 - length;
    if (length < 2 || pduLeftAfter < 0)
      return this.#invalid(abortReason.invalidParameter, `PDV of ${length} bytes`);
    if (pduLeftAfter > 0 && pduLeftAfter < headerBytes)
      return this.#invalid(abortReason.invalidParameter, 'rest of a P-DATA-TF holds no PDV');
    if (contextId % 2 !== 1)
      return this.#invalid(abortReason.invalidParameter, `presentation context id ${contextId}`);
    this.#position = {
      kind: 'pdv-body',
      contextId,
      control: header[5] as number,
      pdvLeft: length - 2,
      pduLeftAfter,
    };
    return undefined;
  }

  #fragment(position: Position & { kind: 'pdv-body' }): PduEvent {
    const bytes = this.#takeSome(position.pdvLeft);
    position.pdvLeft -= bytes.length;
    const ended = position.pdvLeft === 0;
    if (ended) {
      this.#position =
        position.pduLeftAfter === 0 ? pduHeader : { kind: 'pdv-header', pduLeft: position.pduLeftAfter };
    }
    return {
      kind: 'data',
      fragment: {
        contextId: position.contextId,
        command: (position.control & 1) !== 0,
        last: ended && (position.control & 2) !== 0,
        bytes,
      },
    };
  }

  #control(type: number, body: Uint8Array): PduEvent {
    try {
      switch (type) {
        case pduType.associateRequest:
          return { kind: 'associate-request', request: decodeAssociateRequest(body) };
        case pduType.associateAccept:
          return { kind: 'associate-accept', accept: decodeAssociateAccept(body) };
        case pduType.associateReject:
          return {
            kind: 'associate-reject',
            reject: { result: at(body, 1), source: at(body, 2), reason: at(body, 3) },
          };
        case pduType.releaseRequest:
          return { kind: 'release-request' };
        case pduType.releaseResponse:
          return { kind: 'release-response' };
        default:
          return { kind: 'abort', abort: { source: at(body, 2), reason: at(body, 3) } };
      }
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      return this.#invalid(abortReason.invalidParameter, error.message);
    }
  }

  #invalid(reason: number, detail: string): PduEvent {
    this.#position = lost;
    this.#chunks = [];
    this.#available = 0;
    return { kind: 'invalid', reason, detail };
  }

  /**
   * Copies what has come of a control PDU into one buffer: a peer that sends it a byte at a time costs its bytes, not an
   * object for each. Its values live as long as the association.
   */
  #gather(position: Position & { kind: 'pdu-body' }): void {
    while (this.#available > 0 && position.filled < position.length) {
      const part = this.#takeSome(position.length - position.filled);
      const end = position.filled + part.length;
      if (end > position.body.length) {
        const grown = new Uint8Array(Math.min(position.length, Math.max(end, 2 * position.body.length)));
        grown.set(position.body.subarray(0, position.filled));
        position.body = grown;
      }
      position.body.set(part, position.filled);
      position.filled = end;
    }
  }

  /** Exactly so many bytes, joined if they came apart; undefined while there are fewer. */
  #take(length: number): Uint8Array | undefined {
    if (this.#available < length) return undefined;
    const first = this.#takeSome(length);
    if (first.length === length) return first;
    const parts = [first];
    for (let left = length - first.length; left > 0;) {
      const part = this.#takeSome(left);
      parts.push(part);
      left -= part.length;
    }
    return joinBytes(parts);
  }

  /** At most so many bytes, as many as the first chunk has; empty if there are none. */
  #takeSome(lengthMax: number): Uint8Array {
    const chunk = this.#chunks[this.#head];
    if (chunk === undefined || lengthMax === 0) return new Uint8Array(0);
    const part = chunk.subarray(this.#offset, this.#offset + lengthMax);
    this.#offset += part.length;
    this.#available -= part.length;
    if (this.#offset === chunk.length) {
      this.#head++;
      this.#offset = 0;
    }
    if (this.#available === 0) {
      this.#chunks = [];
      this.#head = 0;
    }
    return part;
  }
}

function at(bytes: Uint8Array, offset: number): number {
  return bytes[offset] as number;
}

function u32At(bytes: Uint8Array, offset: number): number {
  return (
    at(bytes, offset) * 0x1000000 +
    ((at(bytes, offset + 1) << 16) | (at(bytes, offset + 2) << 8) | at(bytes, offset + 3))
  );
}
