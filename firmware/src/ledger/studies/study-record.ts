/** What the ledger holds of a study. */
import {
  booleanField,
  bytesField,
  institutionIdField,
  integerField,
  mapField,
  timeField,
} from '../fields.ts';
import { counterField, recordFormat } from '../record-format.ts';

export interface StudyRecord {
  readonly source: string;
  readonly ownerKey: Uint8Array;
  readonly ownerEpoch: number;
  readonly ephemeral: Uint8Array;
  readonly batchIndex: number;
  readonly tag: number;
  readonly commitment: Uint8Array;
  readonly noteHash: Uint8Array;
  readonly version: number;
  readonly closed: boolean;
  readonly registeredAt: number;
  readonly amendedAt: number;
  readonly grantSeq: number;
  /** All grants up to this seq are revoked. */
  readonly revokedUpTo: number;
  /** Opens of this study under all grants: a proof of it shows a list of receipts to be complete. */
  readonly opens: number;
}

export const studyRecord = recordFormat<StudyRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'study', [
      'source',
      'ownerKey',
      'ownerEpoch',
      'ephemeral',
      'batchIndex',
      'tag',
      'commitment',
      'noteHash',
      'version',
      'closed',
      'registeredAt',
      'amendedAt',
      'grantSeq',
      'revokedUpTo',
      'opens',
    ]);
    return {
      source: institutionIdField(map.source, 'source'),
      ownerKey: bytesField(map.ownerKey, 'ownerKey', 32),
      ownerEpoch: counterField(map.ownerEpoch, 'ownerEpoch'),
      ephemeral: bytesField(map.ephemeral, 'ephemeral', 32),
      batchIndex: counterField(map.batchIndex, 'batchIndex'),
      tag: integerField(map.tag, 'tag', 0, 255),
      commitment: bytesField(map.commitment, 'commitment', 32),
      noteHash: bytesField(map.noteHash, 'noteHash', 32),
      version: integerField(map.version, 'version', 1, Number.MAX_SAFE_INTEGER),
      closed: booleanField(map.closed, 'closed'),
      registeredAt: timeField(map.registeredAt, 'registeredAt'),
      amendedAt: timeField(map.amendedAt, 'amendedAt'),
      grantSeq: counterField(map.grantSeq, 'grantSeq'),
      revokedUpTo: counterField(map.revokedUpTo, 'revokedUpTo'),
      opens: counterField(map.opens, 'opens'),
    };
  },
);
