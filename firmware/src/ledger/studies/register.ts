/** study.register: a source brings one study or a few onto the ledger, each with a record of its own. */
import { bytesField, institutionIdField, integerField, listField, mapField } from '../fields.ts';
import { studyId } from '../ids.ts';
import { registrationEntriesMax } from '../limits.ts';
import { isPrimeOrderKey } from '../public-keys.ts';
import { withRecords } from '../records-of-epoch.ts';
import { signingInstitution } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { registeredStudy, type StudyEntry } from './leaf.ts';
import { studyRecord } from './study-record.ts';

export interface StudyRegister extends BodyBase {
  readonly type: 'study.register';
  readonly source: string;
  /** 16 random bytes; with the entry's index it makes the study's id. */
  readonly batch: Uint8Array;
  /** R, X25519, 32 bytes: one for the batch. */
  readonly ephemeral: Uint8Array;
  readonly entries: readonly StudyEntry[];
}

/** Signed by the source. All entries are registered, or none. */
export const studyRegister: TransactionType<StudyRegister> = {
  read(value) {
    const { map, base } = readBody(value, 'study.register', ['source', 'batch', 'ephemeral', 'entries']);
    const entries = listField(map.entries, 'entries', 1, registrationEntriesMax).map((item, index) => {
      const path = `entries[${index}]`;
      const entry = mapField(item, path, ['commitment', 'ownerKey', 'tag', 'noteHash']);
      return {
        commitment: bytesField(entry.commitment, `${path}.commitment`, 32),
        ownerKey: bytesField(entry.ownerKey, `${path}.ownerKey`, 32),
        tag: integerField(entry.tag, `${path}.tag`, 0, 255),
        noteHash: bytesField(entry.noteHash, `${path}.noteHash`, 32),
      };
    });
    return {
      ...base,
      source: institutionIdField(map.source, 'source'),
      batch: bytesField(map.batch, 'batch', 16),
      ephemeral: bytesField(map.ephemeral, 'ephemeral', 32),
      entries,
    };
  },
  signers: () => 1,
  work: ({ entries }) => ({ keys: entries.length, records: entries.length }),
  apply(state, body, context) {
    const source = signingInstitution(state, body.source, context.time);
    if (typeof source === 'string') return source;
    // First, since it may be refused for this until the epoch ends, and is tried again and again.
    const counted = withRecords(state, source.id, { registrations: body.entries.length });
    if (typeof counted === 'string') return counted;
    const ids = body.entries.map((_, index) => studyId(body.chain, body.source, body.batch, index));
    const bulk = stateKeys.batch(body.source, body.batch);
    if (state.has(bulk) || ids.some((id) => state.study(id) !== undefined)) return 'study-exists';
    if (!context.signedBy(source.keys.transaction)) return 'bad-signature';
    let next = counted;
    for (const [index, id] of ids.entries()) {
      const entry = body.entries[index] as StudyEntry;
      if (!isPrimeOrderKey(entry.ownerKey)) return 'bad-key';
      const study = registeredStudy(entry, { ...body, index, registeredAt: context.time });
      next = next.put(studyRecord, stateKeys.study(id), study);
    }
    return next;
  },
};
