/** What the ledger holds of a study. */
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import {
  booleanField,
  bytesField,
  institutionIdField,
  integerField,
  listField,
  mapField,
  ShapeError,
  timeField,
} from '../fields.ts';
import { revocationsAheadMax } from '../limits.ts';
import { counterField, recordFormat } from '../record-format.ts';

/** Frozen: the source has doubts. Rescinded: it should not have been registered. Erased: its data are gone. */
export type StudyStatus = 'open' | 'frozen' | 'rescinded' | 'erased';

/** A new owner in waiting: both sides may object until it is complete. */
export interface PendingReassignment {
  readonly id: Uint8Array;
  readonly ownerKey: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly tag: number;
  readonly noteHash: Uint8Array;
  /** Block time from which it may be completed. */
  readonly effectiveFrom: number;
}

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
  readonly status: StudyStatus;
  /** Number of the source's last act on the standing of the study (source-act.ts). */
  readonly actSeq: number;
  readonly reassignment: PendingReassignment | null;
  readonly grantSeq: number;
  /** All grants up to this seq are revoked. */
  readonly revokedUpTo: number;
  /** Ids of bases that this owner revoked before they arrived: they never will. At most `revocationsAheadMax`. */
  readonly revokedAhead: readonly Uint8Array[];
  /** Grants so far: `grantSeq` is more where revocations ran ahead of them. */
  readonly grants: number;
  /** The last referral's number: referrals so far. */
  readonly referralSeq: number;
  /** Grants, referrals and emergencies so far: a proof of it shows a list of all bases to be complete. */
  readonly bases: number;
  /** Opens of this study under every basis: a proof of it shows a list of receipts to be complete. */
  readonly opens: number;
}

const statuses: readonly StudyStatus[] = ['open', 'frozen', 'rescinded', 'erased'];

function statusField(value: CborValue): StudyStatus {
  const status = statuses.find((known) => known === value);
  if (status === undefined) throw new ShapeError('status: unknown');
  return status;
}

function readReassignment(value: CborValue): PendingReassignment {
  const path = 'reassignment';
  const map = mapField(value, path, ['id', 'ownerKey', 'ephemeral', 'tag', 'noteHash', 'effectiveFrom']);
  return {
    id: bytesField(map.id, `${path}.id`, 32),
    ownerKey: bytesField(map.ownerKey, `${path}.ownerKey`, 32),
    ephemeral: bytesField(map.ephemeral, `${path}.ephemeral`, 32),
    tag: integerField(map.tag, `${path}.tag`, 0, 255),
    noteHash: bytesField(map.noteHash, `${path}.noteHash`, 32),
    effectiveFrom: timeField(map.effectiveFrom, `${path}.effectiveFrom`),
  };
}

export const studyRecord = recordFormat<StudyRecord>(
  (record) => ({ ...record, reassignment: record.reassignment && { ...record.reassignment } }),
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
      'status',
      'actSeq',
      'reassignment',
      'grantSeq',
      'revokedUpTo',
      'revokedAhead',
      'grants',
      'referralSeq',
      'bases',
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
      status: statusField(map.status),
      actSeq: counterField(map.actSeq, 'actSeq'),
      reassignment: map.reassignment === null ? null : readReassignment(map.reassignment),
      grantSeq: counterField(map.grantSeq, 'grantSeq'),
      revokedUpTo: counterField(map.revokedUpTo, 'revokedUpTo'),
      revokedAhead: listField(map.revokedAhead, 'revokedAhead', 0, revocationsAheadMax).map((id, index) =>
        bytesField(id, `revokedAhead[${index}]`, 32),
      ),
      grants: counterField(map.grants, 'grants'),
      referralSeq: counterField(map.referralSeq, 'referralSeq'),
      bases: counterField(map.bases, 'bases'),
      opens: counterField(map.opens, 'opens'),
    };
  },
);
