/**
 * A record of the block log (docs/formats.md, "Records of the block log"): the final block as it travels, and what this
 * box can show of how the views came and went that led to it. If two hospitals should ever hold different final blocks,
 * these certificates name who signed for both (docs/adr/0030-the-block-log-keeps-what-names-the-guilty.md).
 */
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import { certificateFromCbor, certificateToCbor } from '../consensus/signatures.ts';
import type { Certificate } from '../consensus/types.ts';
import type { FinalRecord } from './final-records.ts';
import { decodeFinalRecord, encodeFinalRecord } from './final-records.ts';
import { certificatesNotedMax } from './limits.ts';
import { bytesIn, listIn, mapWith } from './shapes.ts';

export interface KeptRecord extends FinalRecord {
  /** Notarizations of the block and nullifications since its parent, by view; it stays on this box. */
  readonly shown: readonly Certificate[];
}

export function encodeKeptRecord({ shown, ...final }: KeptRecord): Uint8Array {
  return encodeCanonical({ final: encodeFinalRecord(final), shown: shown.map(certificateToCbor) });
}

/** @throws RangeError if the bytes are no such record. */
export function decodeKeptRecord(bytes: Uint8Array): KeptRecord {
  const map = mapWith(decodeCanonical(bytes), ['final', 'shown']);
  const shown = listIn(map['shown'], certificatesNotedMax).map(certificateFromCbor);
  return { ...decodeFinalRecord(bytesIn(map['final'])), shown };
}

/** The encoded final record in it, as other boxes get it. @throws RangeError if the bytes are no such record. */
export function finalIn(bytes: Uint8Array): Uint8Array {
  return bytesIn(mapWith(decodeCanonical(bytes), ['final', 'shown'])['final']);
}
