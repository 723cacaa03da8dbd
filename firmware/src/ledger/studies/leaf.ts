/**
 * Studies that were registered in bulk: the state holds one record for the batch, and a study gets its own at its first
 * use, when a transaction brings its leaf: the entry, and the path that proves it under the batch's root. From then on
 * it is a study like any other.
 */
import { concatBytes, equalBytes } from '../../encoding/bytes.ts';
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { verifyMerklePath } from '../../encoding/merkle-tree.ts';
import { bytesField, institutionIdField, integerField, listField, mapField } from '../fields.ts';
import { studyId } from '../ids.ts';
import { bulkEntriesMax, bulkPathHashesMax } from '../limits.ts';
import { isPrimeOrderKey } from '../public-keys.ts';
import type { RuleReason } from '../refusals.ts';
import type { LedgerSnapshot } from '../state.ts';
import { readBody } from '../transaction-type.ts';
import type { ChainId, StudyId } from '../types.ts';
import type { BatchRecord } from './batch-record.ts';
import type { StudyRecord } from './study-record.ts';

/** What a registration says of one study. */
export interface StudyEntry {
  readonly commitment: Uint8Array;
  readonly ownerKey: Uint8Array;
  /** 0 to 255: lets a wallet that scans skip what is not its own. */
  readonly tag: number;
  readonly noteHash: Uint8Array;
}

/** What proves that a study was registered in bulk. */
export interface StudyLeaf {
  readonly source: string;
  readonly batch: Uint8Array;
  readonly index: number;
  /** The entry as it was registered (`encodeEntry`). */
  readonly entry: Uint8Array;
  /** RFC 9162, section 2.1.3: from the leaf up, 32 bytes each. */
  readonly path: readonly Uint8Array[];
}

/** commitment (32) ‖ ownerKey (32) ‖ u8 tag ‖ noteHash (32): one entry of a bulk registration, and a leaf of its tree. */
export const bulkEntryBytes = 97;

export function encodeEntry({ commitment, ownerKey, tag, noteHash }: StudyEntry): Uint8Array {
  if ([commitment, ownerKey, noteHash].some(({ length }) => length !== 32)) {
    throw new RangeError('commitment, owner key and hash of the note have 32 bytes');
  }
  if (!Number.isInteger(tag) || tag < 0 || tag > 255) throw new RangeError('a tag is one byte');
  return concatBytes(commitment, ownerKey, Uint8Array.of(tag), noteHash);
}

/** @throws RangeError if these are not `bulkEntryBytes` bytes. */
export function decodeEntry(bytes: Uint8Array): StudyEntry {
  if (bytes.length !== bulkEntryBytes) throw new RangeError(`an entry has ${bulkEntryBytes} bytes`);
  return {
    commitment: bytes.slice(0, 32),
    ownerKey: bytes.slice(32, 64),
    tag: bytes[64] as number,
    noteHash: bytes.slice(65),
  };
}

/** The leaves of a bulk registration's tree, in order, from its joined entries. */
export function bulkLeaves(entries: Uint8Array): Uint8Array[] {
  return Array.from({ length: entries.length / bulkEntryBytes }, (_, index) =>
    entries.subarray(index * bulkEntryBytes, (index + 1) * bulkEntryBytes),
  );
}

function readLeaf(value: CborValue, path: string): StudyLeaf {
  const map = mapField(value, path, ['source', 'batch', 'index', 'entry', 'path']);
  return {
    source: institutionIdField(map.source, `${path}.source`),
    batch: bytesField(map.batch, `${path}.batch`, 16),
    index: integerField(map.index, `${path}.index`, 0, bulkEntriesMax - 1),
    entry: bytesField(map.entry, `${path}.entry`, bulkEntryBytes),
    path: listField(map.path, `${path}.path`, 0, bulkPathHashesMax).map((hash, index) =>
      bytesField(hash, `${path}.path[${index}]`, 32),
    ),
  };
}

/** `readBody` of a type whose body may bring the leaf of its study, and need not. @throws ShapeError */
export function readBodyWithLeaf<const Type extends string, Name extends string>(
  value: CborValue,
  type: Type,
  names: readonly Name[],
): {
  readonly map: Readonly<Record<Name, CborValue>>;
  readonly base: {
    readonly type: Type;
    readonly chain: ChainId;
    readonly validUntil: number;
    readonly leaf?: StudyLeaf;
  };
} {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'leaf')) {
    return readBody(value, type, names);
  }
  const { map, base } = readBody<Type, Name | 'leaf'>(value, type, [...names, 'leaf']);
  return { map, base: { ...base, leaf: readLeaf(map.leaf, 'leaf') } };
}

/** Under which batch a leaf was proved: a box judges the same transaction several times, and decodes it once. */
const proved = new WeakMap<StudyLeaf, Pick<BatchRecord, 'root' | 'count'>>();

function isLeafOf(leaf: StudyLeaf, { root, count }: BatchRecord): boolean {
  const known = proved.get(leaf);
  if (known !== undefined && known.count === count && equalBytes(known.root, root)) return true;
  if (!verifyMerklePath(leaf.entry, leaf.index, count, leaf.path, root)) return false;
  proved.set(leaf, { root, count });
  return true;
}

/**
 * The record that a leaf's study would have now: proved under the batch's root, its owner key judged. A wallet that
 * has proofs of the batch's record, and of the absence of the study's own, calls the same.
 */
export function openLeaf(
  chain: ChainId,
  id: StudyId,
  leaf: StudyLeaf,
  batch: BatchRecord,
): StudyRecord | Extract<RuleReason, 'wrong-leaf' | 'bad-key'> {
  if (studyId(chain, leaf.source, leaf.batch, leaf.index) !== id) return 'wrong-leaf';
  if (!isLeafOf(leaf, batch)) return 'wrong-leaf';
  const entry = decodeEntry(leaf.entry);
  if (!isPrimeOrderKey(entry.ownerKey)) return 'bad-key';
  return registeredStudy(entry, { ...batch, source: leaf.source, index: leaf.index });
}

/** A study as its registration leaves it, singly or in bulk. */
export function registeredStudy(
  entry: StudyEntry,
  registration: {
    readonly source: string;
    readonly ephemeral: Uint8Array;
    readonly index: number;
    readonly registeredAt: number;
  },
): StudyRecord {
  const { source, ephemeral, index, registeredAt } = registration;
  return {
    source,
    ownerKey: entry.ownerKey,
    ownerEpoch: 0,
    ephemeral,
    batchIndex: index,
    tag: entry.tag,
    commitment: entry.commitment,
    noteHash: entry.noteHash,
    version: 1,
    closed: false,
    registeredAt,
    amendedAt: registeredAt,
    status: 'open',
    actSeq: 0,
    reassignment: null,
    grantSeq: 0,
    revokedUpTo: 0,
    revokedAhead: [],
    grants: 0,
    referralSeq: 0,
    bases: 0,
    opens: 0,
  };
}

/**
 * The study that a transaction names: its record, or the one that its leaf opens up. A leaf of a study that has its
 * record already is passed over: two transactions that bring it may come in either order.
 */
export function namedStudy(
  state: LedgerSnapshot,
  id: StudyId,
  leaf: StudyLeaf | undefined,
): StudyRecord | Extract<RuleReason, 'unknown-study' | 'wrong-leaf' | 'bad-key'> {
  const study = state.study(id);
  if (study !== undefined) return study;
  const batch = leaf && state.batch(leaf.source, leaf.batch);
  if (leaf === undefined || batch === undefined) return 'unknown-study';
  return openLeaf(state.chain, id, leaf, batch);
}
