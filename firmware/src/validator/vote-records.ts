/**
 * Records of the vote log (docs/formats.md, "Vote log"): what binds this box after a restart. A notarize vote carries
 * its block, so that a block that becomes final exists on n−f disks before anyone counts on it.
 */
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import { certificateFromCbor, certificateToCbor, voteFromCbor, voteToCbor } from '../consensus/signatures.ts';
import type { Certificate, Vote } from '../consensus/types.ts';
import { bytesIn, counterIn, mapWith, typeOf } from './shapes.ts';

export type VoteRecord =
  | { readonly type: 'vote'; readonly vote: Vote; readonly block: Uint8Array | null }
  | { readonly type: 'certificate'; readonly certificate: Certificate }
  /** The box may have voted up to this view of the epoch without a record of it: it votes later only. */
  | { readonly type: 'floor'; readonly epoch: number; readonly view: number }
  /** How far the box may have voted is not known, until a floor follows: it does not vote. */
  | { readonly type: 'gap' }
  /** The box started: with this count of its TPM's starts the records after it were written. */
  | { readonly type: 'start'; readonly number: number };

export function encodeVoteRecord(record: VoteRecord): Uint8Array {
  switch (record.type) {
    case 'vote':
      return encodeCanonical({ type: record.type, vote: voteToCbor(record.vote), block: record.block });
    case 'certificate':
      return encodeCanonical({ type: record.type, certificate: certificateToCbor(record.certificate) });
    case 'floor':
    case 'gap':
    case 'start':
      return encodeCanonical({ ...record });
  }
}

/** @throws RangeError if the bytes are no such record. */
export function decodeVoteRecord(bytes: Uint8Array): VoteRecord {
  const value = decodeCanonical(bytes);
  const type = typeOf(value);
  switch (type) {
    case 'vote': {
      const { vote, block } = mapWith(value, ['type', 'vote', 'block']);
      return { type, vote: voteFromCbor(vote ?? null), block: block === null ? null : bytesIn(block) };
    }
    case 'certificate': {
      const { certificate } = mapWith(value, ['type', 'certificate']);
      return { type, certificate: certificateFromCbor(certificate ?? null) };
    }
    case 'floor': {
      const { epoch, view } = mapWith(value, ['type', 'epoch', 'view']);
      return { type, epoch: counterIn(epoch), view: counterIn(view) };
    }
    case 'gap':
      mapWith(value, ['type']);
      return { type };
    case 'start':
      return { type, number: counterIn(mapWith(value, ['type', 'number'])['number']) };
    default:
      throw new RangeError('unknown record of a vote log');
  }
}
