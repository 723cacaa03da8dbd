/**
 * A final block with its finalization certificate, as it stands in the block log and travels to boxes that catch up
 * (docs/formats.md, "Final block"). A block that became final through a later one has no certificate of its own: that
 * of the later one makes it final.
 */
import type { CborValue } from '../encoding/canonical-cbor.ts';
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import { certificateFromCbor, certificateToCbor } from '../consensus/signatures.ts';
import type { Certificate } from '../consensus/types.ts';
import { decodeBlock, decodeHeader, encodeBlock, encodeHeader } from '../ledger/index.ts';
import type { Block, BlockHeader } from '../ledger/types.ts';
import { blockAnswerItemsMax, catchUpBlocksMax, finalRecordItemsMax } from './limits.ts';
import { bytesIn, digestIn, counterIn, listIn, mapWith } from './shapes.ts';

export interface FinalRecord {
  readonly block: Block;
  readonly certificate: Certificate | null;
}

export function encodeFinalRecord(record: FinalRecord): Uint8Array {
  return encodeCanonical(finalRecordToCbor(record));
}

/** @throws RangeError if the bytes are no such record. */
export function decodeFinalRecord(bytes: Uint8Array): FinalRecord {
  return finalRecordFromCbor(decodeCanonical(bytes, finalRecordItemsMax));
}

/** What is kept of a block whose transactions were dropped. */
export interface HeaderRecord {
  readonly header: BlockHeader;
  /** Of a block that closed its epoch; the others are final through the links of the headers up to it. */
  readonly certificate: Certificate | null;
}

export function encodeHeaderRecord({ header, certificate }: HeaderRecord): Uint8Array {
  return encodeCanonical({
    header: encodeHeader(header),
    certificate: certificate === null ? null : certificateToCbor(certificate),
  });
}

/** @throws RangeError if the bytes are no such record. */
export function decodeHeaderRecord(bytes: Uint8Array): HeaderRecord {
  const map = mapWith(decodeCanonical(bytes, finalRecordItemsMax), ['header', 'certificate']);
  const decoded = decodeHeader(bytesIn(map['header']));
  if (decoded.kind === 'refused') throw new RangeError(`header: ${decoded.reason}`);
  const certificate = map['certificate'] ?? null;
  return {
    header: decoded.header,
    certificate: certificate === null ? null : certificateFromCbor(certificate),
  };
}

/** What a box asks for: final blocks from a height on, or one block by its digest, final or not. */
export type BlockRequest = { readonly from: number } | { readonly digest: Uint8Array };

export function encodeBlockRequest(request: BlockRequest): Uint8Array {
  return encodeCanonical({ ...request });
}

/** @throws RangeError if the bytes are no such request. */
export function decodeBlockRequest(bytes: Uint8Array): BlockRequest {
  const value = decodeCanonical(bytes, blockAnswerItemsMax);
  return value !== null && typeof value === 'object' && Object.hasOwn(value, 'from')
    ? { from: counterIn(mapWith(value, ['from'])['from']) }
    : { digest: digestIn(mapWith(value, ['digest'])['digest']) };
}

/** What a box has from a height on. */
export interface BlockAnswer {
  /** The oldest height of which it has the block: below it, a snapshot is needed. */
  readonly first: number;
  readonly records: readonly FinalRecord[];
}

/** The encoded records as they are: the log's bytes need not be decoded to be sent. */
export function encodeBlockAnswer(first: number, records: readonly Uint8Array[]): Uint8Array {
  return encodeCanonical({ first, records });
}

/** @throws RangeError if the bytes are no such answer. */
export function decodeBlockAnswer(bytes: Uint8Array): BlockAnswer {
  const map = mapWith(decodeCanonical(bytes, blockAnswerItemsMax), ['first', 'records']);
  return {
    first: counterIn(map['first']),
    records: listIn(map['records'], catchUpBlocksMax).map((item) => decodeFinalRecord(bytesIn(item))),
  };
}

function finalRecordToCbor({ block, certificate }: FinalRecord): CborValue {
  return {
    block: encodeBlock(block),
    certificate: certificate === null ? null : certificateToCbor(certificate),
  };
}

function finalRecordFromCbor(value: CborValue): FinalRecord {
  const map = mapWith(value, ['block', 'certificate']);
  const decoded = decodeBlock(bytesIn(map['block']));
  if (decoded.kind === 'refused') throw new RangeError(`block: ${decoded.reason}`);
  const certificate = map['certificate'] ?? null;
  return {
    block: decoded.block,
    certificate: certificate === null ? null : certificateFromCbor(certificate),
  };
}
