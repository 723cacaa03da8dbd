/** An object in quarantine: its record, and why it is there. */
import type { CborValue, DataSetHeader, StoredObject } from '../ports.ts';
import type { InstanceIdentity } from '../protocol/instance-prefix.ts';

export type QuarantineReason =
  /** Its header cannot be parsed. */
  | 'unreadable'
  /** It lacks a valid study, series or SOP instance UID. */
  | 'without UIDs'
  /** Its SOP Instance UID is not that of its C-STORE request. */
  | 'other UID than requested'
  /** Its UID is held, and it shows something else. */
  | 'other pixels'
  /** Its UID is held, its attributes differ, and its sender is not trusted with corrections. */
  | 'other attributes'
  /** Its UID is held in another transfer syntax or SOP class, or one of the two cannot be read to its end. */
  | 'not comparable'
  /** A correction like others, but one of very many within a day: systems correct each other without an end. */
  | 'corrected too often'
  /** Its UID is held in another study. */
  | 'in another study';

export interface Quarantined {
  readonly is: 'quarantined';
  readonly reason: QuarantineReason;
  /** What exactly was wrong, without patient data; empty where the reason says it all. */
  readonly detail: string;
  readonly callingAeTitle: string;
  readonly remoteAddress: string;
  /** As the C-STORE request named it. */
  readonly identity: InstanceIdentity;
  /** What could be read of it. */
  readonly header: DataSetHeader;
  readonly at: number;
}

/** As it stands in the quarantine: one record, with the object beside it. */
export interface QuarantineRecord extends Quarantined {
  readonly stored: StoredObject;
  /** SHA-256 of its data set: a sender that is answered with a failure sends the same again and again. */
  readonly digest: Uint8Array;
}

/** An object that has a place in a study: an administrator may release it. All others can only be discarded. */
export function isReleasable({ reason }: Pick<Quarantined, 'reason'>): boolean {
  return reason !== 'unreadable' && reason !== 'without UIDs';
}

/** In a sentence, for the person who decides. */
export function reasonText({ reason, detail }: Pick<Quarantined, 'reason' | 'detail'>): string {
  return detail === '' ? `${sentences[reason]}.` : `${sentences[reason]}: ${detail}.`;
}

const sentences: Readonly<Record<QuarantineReason, string>> = {
  unreadable: 'Its header cannot be parsed',
  'without UIDs': 'It lacks a valid study, series or SOP instance UID',
  'other UID than requested': 'Its SOP Instance UID is not the one that its sender announced',
  'other pixels': 'Another image is held under its SOP Instance UID',
  'other attributes': 'It differs in attributes from the object that is held under its SOP Instance UID',
  'not comparable':
    'An object in another encoding is held under its SOP Instance UID, or one of the two cannot be read',
  'corrected too often':
    'The object that is held under its SOP Instance UID was corrected again and again within a day',
  'in another study': 'An object is held under its SOP Instance UID in another study or of another patient',
};

/** Records are plain CBOR values; their authenticity comes from the encryption of their log. */
export function toQuarantineRecord(record: QuarantineRecord): CborValue {
  return record as unknown as CborValue;
}

export function fromQuarantineRecord(value: CborValue): QuarantineRecord {
  return value as unknown as QuarantineRecord;
}
