/** What stands in a study's manifest: every fact about a kept study, in the order in which it became true. */
import type { StudyId } from '../ledger/types.ts';
import type { CborValue, DataSetHeader } from '../ports.ts';
import type { LocalPatient } from './patient-identity.ts';

/**
 * Where a study came from. What modalities sent, and what the own PACS holds and was registered by reference, is this
 * institution's own: neither what was fetched from elsewhere, nor what the own PACS routed back of it.
 */
export type StudyOrigin =
  | { readonly kind: 'modality' }
  /** Its objects lie in the hospital's PACS, which has this AE title, until a release needs them. */
  | { readonly kind: 'referenced'; readonly pacs: string }
  | { readonly kind: 'returned' }
  | { readonly kind: 'fetched'; readonly source: string; readonly studyId: StudyId };

export interface StudyCreated {
  readonly is: 'study';
  readonly studyInstanceUid: string;
  /** Salt of the commitment, 32 bytes. */
  readonly salt: Uint8Array;
  readonly origin: StudyOrigin;
  readonly patient: LocalPatient;
  /** AE title that sent its first object; empty for a fetched study. */
  readonly callingAeTitle: string;
  readonly date: string;
  readonly description: string;
  readonly at: number;
}

/** A study as its objects describe it, which may be there already. */
export type StudyDescribed = Omit<StudyCreated, 'salt'>;

export interface ObjectKept {
  readonly is: 'object';
  /** Number from which the object's x_j is derived; unique in the study, gaps where an association was aborted. */
  readonly number: number;
  /** Where its bytes are: `StoredObject`. */
  readonly fileRef: string;
  readonly frame: number | null;
  readonly length: number;
  readonly lastTag: Uint8Array;
  /** x_j and the leaves (32 bytes each, joined) of the commitment; they also tell a repetition from another object. */
  readonly instanceKey: Uint8Array;
  readonly leaves: Uint8Array;
  /** Number of the object of the same UID in whose place this one stands; that one stays readable. Null: of none. */
  readonly corrects: number | null;
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  /** AE title that sent it; empty for what was fetched. It is not forwarded back there. */
  readonly callingAeTitle: string;
  /** What its data set says at its beginning: it is found by that. */
  readonly header: DataSetHeader;
  readonly at: number;
}

/**
 * That a study was registered by reference: what its first commitment covers are the UIDs of its instances, as the PACS
 * named them (protocol/references.ts), not their bytes. The list itself is not kept: the PACS has it.
 */
export interface StudyReferenced {
  readonly is: 'reference';
  /** Number from which its key is derived, like an object's. */
  readonly number: number;
  /** Key, length and leaves of the list, as an instance is committed to. */
  readonly instanceKey: Uint8Array;
  readonly length: number;
  readonly leaves: Uint8Array;
  /** How many instances it names. */
  readonly instances: number;
  readonly modalities: readonly string[];
  readonly at: number;
}

/** That the PACS was asked for a study by reference and gave all it had: from now on its bytes are committed to. */
export interface StudyPulled {
  readonly is: 'pulled';
  /** Instances that the reference names and the PACS no longer gave. */
  readonly missing: number;
  readonly at: number;
}

/**
 * The one-time owner key of a study, kept before it is sent. It is derived again only if it was never sent: then the
 * plans of versions that were made for the one before are void, since their notes were sealed for it.
 */
export interface OwnerDerived {
  readonly is: 'owner';
  readonly batch: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly prk: Uint8Array;
  readonly ownerKey: Uint8Array;
  readonly tag: number;
  /** S of the patient's account here; its mailbox shows the note. */
  readonly account: Uint8Array;
  /** Seed of the account that this box holds for a patient without a wallet; empty for a patient with one. */
  readonly custodySeed: Uint8Array;
  /** Where it stands in a registration in bulk, which is one of so many studies; a study by itself has none. */
  readonly bulk?: {
    readonly index: number;
    readonly count: number;
    /** Proves its entry under the batch's root (ledger/studies/leaf.ts). */
    readonly path: readonly Uint8Array[];
  };
}

/** One state of the study as it goes to the ledger. The note of a commitment is sealed once and then used again. */
export interface VersionPlanned {
  readonly is: 'version';
  readonly version: number;
  readonly objects: number;
  readonly commitment: Uint8Array;
  readonly note: Uint8Array;
  readonly closed: boolean;
  readonly at: number;
}

export type ManifestRecord =
  StudyCreated | ObjectKept | StudyReferenced | StudyPulled | OwnerDerived | VersionPlanned;

/** Records are plain CBOR values; their authenticity comes from the manifest's encryption. */
export function toRecord(record: ManifestRecord): CborValue {
  return record as unknown as CborValue;
}

export function fromRecord(value: CborValue): ManifestRecord {
  return value as unknown as ManifestRecord;
}
