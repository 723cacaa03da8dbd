/**
 * A snapshot of the state at an epoch's end, as it lies on disk and travels (docs/formats.md, "Snapshot"): the final
 * block that closed the epoch, then the state in chunks. And what boxes ask each other of it. Canonical CBOR, strict.
 */
import type { CborValue } from '../encoding/canonical-cbor.ts';
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import type { StateEntry, StateRange } from '../ledger/index.ts';
import { stateKeyCharactersMax, stateProofSiblingsMax, stateValueBytesMax } from '../ledger/limits.ts';
import {
  blockRequestBytesMax,
  snapshotChunkBytesMax,
  snapshotChunkItemsMax,
  snapshotRecordsMax,
} from './limits.ts';
import { bytesIn, counterIn, digestIn, listIn, mapWith } from './shapes.ts';

export function encodeRange({ entries, firstDepth, lastDepth, left, right }: StateRange): Uint8Array {
  const pairs = entries.map(([key, value]): CborValue => [key, value]);
  return encodeCanonical({ entries: pairs, firstDepth, lastDepth, left, right });
}

/** @throws RangeError if the bytes are no chunk. Whether it holds is for `verifyStateRange`. */
export function decodeRange(bytes: Uint8Array): StateRange {
  const map = mapWith(decodeCanonical(bytes, snapshotChunkItemsMax), [
    'entries',
    'firstDepth',
    'lastDepth',
    'left',
    'right',
  ]);
  return {
    entries: listIn(map['entries'], snapshotChunkBytesMax).map(entryIn),
    firstDepth: counterIn(map['firstDepth']),
    lastDepth: counterIn(map['lastDepth']),
    left: listIn(map['left'], stateProofSiblingsMax).map(digestIn),
    right: listIn(map['right'], stateProofSiblingsMax).map(digestIn),
  };
}

function entryIn(value: CborValue): StateEntry {
  const [key, bytes, ...rest] = listIn(value, 2);
  if (typeof key !== 'string' || key.length > stateKeyCharactersMax || rest.length > 0)
    throw new RangeError('an entry is a key and a value');
  const stored = bytesIn(bytes);
  if (stored.length > stateValueBytesMax) throw new RangeError(`a value of ${stored.length} bytes`);
  return [key, stored];
}

/** The newest snapshot of a box, or one record of one. */
export type SnapshotRequest = { readonly newest: null } | { readonly epoch: number; readonly record: number };

export function encodeSnapshotRequest(request: SnapshotRequest): Uint8Array {
  return encodeCanonical({ ...request });
}

/** @throws RangeError if the bytes are no such request. */
export function decodeSnapshotRequest(bytes: Uint8Array): SnapshotRequest {
  if (bytes.length > blockRequestBytesMax) throw new RangeError(`request of ${bytes.length} bytes`);
  const value = decodeCanonical(bytes);
  if (value !== null && typeof value === 'object' && Object.hasOwn(value, 'newest')) {
    if (mapWith(value, ['newest'])['newest'] !== null) throw new RangeError('newest is not null');
    return { newest: null };
  }
  const map = mapWith(value, ['epoch', 'record']);
  return { epoch: counterIn(map['epoch']), record: counterIn(map['record']) };
}

/** What a box has to offer: nothing of it is believed. */
export interface SnapshotOffer {
  /** The epoch that the snapshot ends. */
  readonly epoch: number;
  /** Of the block that closed it. */
  readonly height: number;
  /** The block and the chunks. */
  readonly records: number;
}

export function encodeSnapshotOffer(offer: SnapshotOffer): Uint8Array {
  return encodeCanonical({ ...offer });
}

/** @throws RangeError if the bytes are no offer. */
export function decodeSnapshotOffer(bytes: Uint8Array): SnapshotOffer {
  const map = mapWith(decodeCanonical(bytes), ['epoch', 'height', 'records']);
  const records = counterIn(map['records']);
  if (records > snapshotRecordsMax) throw new RangeError(`a snapshot of ${records} records`);
  return { epoch: counterIn(map['epoch']), height: counterIn(map['height']), records };
}
