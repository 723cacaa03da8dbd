/** study.registerBulk: an institution's many studies of a moment for one signature and one record in the state. */
import { merkleRoot } from '../../encoding/merkle-tree.ts';
import { boundedBytesField, bytesField, institutionIdField, ShapeError } from '../fields.ts';
import { studyId } from '../ids.ts';
import { bulkEntriesMax } from '../limits.ts';
import { withRecords } from '../records-of-epoch.ts';
import { signingInstitution } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { batchRecord } from './batch-record.ts';
import { bulkEntryBytes, bulkLeaves } from './leaf.ts';

export interface StudyRegisterBulk extends BodyBase {
  readonly type: 'study.registerBulk';
  readonly source: string;
  /** 16 random bytes; with the entry's index it makes the study's id. */
  readonly batch: Uint8Array;
  /** R, X25519, 32 bytes: one for the batch. */
  readonly ephemeral: Uint8Array;
  /** The entries joined, `bulkEntryBytes` each (leaf.ts): a list of maps would take half as much again. */
  readonly entries: Uint8Array;
}

/** Roots of registrations in use: each is judged and executed several times, and decoded once. */
const roots = new WeakMap<StudyRegisterBulk, Uint8Array>();

function rootOf(body: StudyRegisterBulk): Uint8Array {
  const known = roots.get(body);
  if (known !== undefined) return known;
  const root = merkleRoot(bulkLeaves(body.entries));
  roots.set(body, root);
  return root;
}

/** Signed by the source. Its studies get records of their own at their first use (leaf.ts). */
export const studyRegisterBulk: TransactionType<StudyRegisterBulk> = {
  read(value) {
    const { map, base } = readBody(value, 'study.registerBulk', ['source', 'batch', 'ephemeral', 'entries']);
    const entries = boundedBytesField(
      map.entries,
      'entries',
      bulkEntryBytes,
      bulkEntriesMax * bulkEntryBytes,
    );
    if (entries.length % bulkEntryBytes !== 0) {
      throw new ShapeError(`entries: a multiple of ${bulkEntryBytes} bytes expected`);
    }
    return {
      ...base,
      source: institutionIdField(map.source, 'source'),
      batch: bytesField(map.batch, 'batch', 16),
      ephemeral: bytesField(map.ephemeral, 'ephemeral', 32),
      entries,
    };
  },
  signers: () => 1,
  work: ({ entries }) => ({ records: 1, entries: entries.length / bulkEntryBytes }),
  apply(state, body, context) {
    const source = signingInstitution(state, body.source, context.time);
    if (typeof source === 'string') return source;
    // What was registered singly under this batch began at index 0, and would share ids with this.
    const key = stateKeys.batch(body.source, body.batch);
    const first = studyId(body.chain, body.source, body.batch, 0);
    if (state.has(key) || state.study(first) !== undefined) return 'study-exists';
    const count = body.entries.length / bulkEntryBytes;
    const counted = withRecords(state, source.id, { registrations: 1, bulkStudies: count });
    if (typeof counted === 'string') return counted;
    if (!context.signedBy(source.keys.transaction)) return 'bad-signature';
    return counted.put(batchRecord, key, {
      root: rootOf(body),
      count,
      ephemeral: body.ephemeral,
      registeredAt: context.time,
    });
  },
};
