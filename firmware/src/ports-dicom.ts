/** The part of ports.ts that speaks DICOM: what rooms ask of the association, of data sets and of destinations. */

/** What a C-STORE-RQ says of the object that follows (PS3.7, 9.3.1). */
export interface StoreRequest {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  readonly callingAeTitle: string;
  readonly remoteAddress: string;
}

/** Elements by tag in eight upper-case hexadecimal digits ('0020000D'), as in the DICOM JSON model (PS3.18 F.2). */
export type DataSet = Readonly<Record<string, DataElement>>;

export interface DataElement {
  readonly vr: string;
  /**
   * Text without padding, numbers in decimal, AT as eight digits, items of a sequence as data sets; OB, OW, UN and the
   * like as one text in base64, words in little-endian order. Empty: zero length.
   */
  readonly values: readonly (string | DataSet)[];
}

export type QueryLevel = 'PATIENT' | 'STUDY' | 'SERIES' | 'IMAGE';

/** One C-FIND, C-MOVE or C-GET over what the box holds (PS3.4 annex C), as it was asked and negotiated. */
export interface Query {
  /** Information model: Patient Root or Study Root (PS3.4 C.6.1, C.6.2). */
  readonly root: 'PATIENT' | 'STUDY';
  readonly identifier: DataSet;
  /** Relational queries or retrieval were negotiated: keys of the levels above may be left out (PS3.4 C.5). */
  readonly relational: boolean;
  /** Fires at a C-CANCEL, and when the association ends. */
  readonly signal: AbortSignal;
}

export interface FindQuery extends Query {
  /** A range of dates beside one of times is one range of instants (PS3.4 C.5.1, date-time matching). */
  readonly combinedDateTime: boolean;
  /** Retrieve AE Title (0008,0054) of the answers: the AE title by which the box was called. */
  readonly retrieveAeTitle: string;
}

/** `detail` names tags and rules, never values. */
export interface QueryRefused {
  readonly kind: 'refused';
  /** `identifier`: it is none of this SOP class (0xA900); `value`: a key cannot be understood (0xC000). */
  readonly reason: 'identifier' | 'value';
  readonly detail: string;
}

/** `limit`: there are more than this box lists for one query. */
export type FindEnd = 'complete' | 'limit' | 'cancelled';

export type FindResult =
  | {
      readonly kind: 'matches';
      /** A key of the identifier is not supported here: it matched everything and is not in the answers. */
      readonly hasUnsupportedKeys: boolean;
      /** Found as they are taken. */
      readonly matches: AsyncGenerator<DataSet, FindEnd>;
    }
  | QueryRefused;

export type RetrieveResult =
  | { readonly kind: 'objects'; readonly objects: readonly RetrievableObject[] }
  | { readonly kind: 'cancelled' }
  | QueryRefused;

export interface RetrievableObject {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  /** The one in which it is kept, then those into which it can be brought without loss. */
  readonly transferSyntaxUids: readonly [string, ...string[]];
  /**
   * From disk, verified piece by piece, as it is taken.
   * @throws AppError STORE_CORRUPT, STORE_FAILED; TRANSCODING_FAILED in another syntax than the kept one.
   */
  dataSet(transferSyntaxUid: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** What answers queries and retrievals of the hospital's own workstations. */
export interface QueryArchive {
  find(query: FindQuery): FindResult;
  select(query: Query): Promise<RetrieveResult>;
}

/** The C-STORE-RSP. The comment goes to the peer, at most 64 characters, without patient data. */
export interface StoreOutcome {
  readonly status: number;
  readonly comment?: string;
  /** The same bytes were held already: nothing was written to disk that would have held back who sent them. */
  readonly wasHeld?: true;
}

/**
 * Takes the data set of one object, bit for bit as it was sent. Calls never overlap, and end with either one `finish` or
 * one `abort`. A failure is an AppError, whose DIMSE status of the error table is answered.
 */
export interface StoreSink {
  /**
   * A view of the receive buffer, to be used or copied until the promise resolves, or before `write` returns if it
   * gives none: the next read overwrites it. Nothing more is read from the peer until the promise resolves. A rejection
   * is followed by `abort`; the rest of the data set is then discarded.
   */
  write(chunk: Uint8Array): Promise<void> | undefined;
  /** The data set is whole. The peer is answered when this resolves. A rejection ends the sink. */
  finish(): Promise<StoreOutcome>;
  /** The data set will not be completed: association lost, or `write` failed. */
  abort(reason: Error): Promise<void>;
}

/** Attributes at the top level of a data set (PS3.6), as trimmed text; absent ones are left out. */
export interface DataSetHeader {
  readonly specificCharacterSet?: string;
  readonly sopClassUid?: string;
  readonly sopInstanceUid?: string;
  readonly studyInstanceUid?: string;
  readonly seriesInstanceUid?: string;
  readonly patientId?: string;
  readonly issuerOfPatientId?: string;
  readonly patientName?: string;
  readonly patientBirthDate?: string;
  readonly patientSex?: string;
  readonly studyDate?: string;
  readonly studyTime?: string;
  readonly studyId?: string;
  readonly studyDescription?: string;
  readonly accessionNumber?: string;
  readonly referringPhysicianName?: string;
  readonly institutionName?: string;
  readonly modality?: string;
  readonly seriesNumber?: string;
  readonly seriesDescription?: string;
  readonly bodyPartExamined?: string;
  readonly instanceNumber?: string;
}

export type HeaderScan =
  | { readonly kind: 'complete'; readonly elements: DataSetHeader }
  | { readonly kind: 'more' }
  | { readonly kind: 'malformed'; readonly reason: string };

/**
 * Reads the beginning of a data set piece by piece, until it no longer says `more`; in linear time, in little memory. A
 * promise, for what is not read on the event loop, holds back the sender until it resolves.
 */
export interface HeaderScanner {
  /** The chunk must not change afterwards. */
  push(chunk: Uint8Array): HeaderScan | Promise<HeaderScan>;
  /** The data set has ended. Never `more`. */
  end(): HeaderScan | Promise<HeaderScan>;
  /** The data set is given up. Has no effect on a scan that is complete. */
  close(): void;
}

/** What two data sets of one transfer syntax show is the same if their digests are equal (32 bytes). */
export type PixelDigest =
  | { readonly kind: 'digest'; readonly digest: Uint8Array }
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Reads a data set to its end, as a stream in bounded memory. Rejects only as `data` does. */
export type DigestPixels = (
  data: AsyncIterable<Uint8Array>,
  transferSyntaxUid: string,
) => Promise<PixelDigest>;

export type OpenHeaderScanner = (transferSyntaxUid: string) => HeaderScanner;

/** An object as a DIMSE service names it (PS3.3 table 10-11). */
export interface ReferencedInstance {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
}

/** A request of the Storage Commitment Push Model (PS3.4 J.3.2): does this box hold these objects for good? */
export interface CommitmentRequest {
  readonly transactionUid: string;
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  readonly instances: readonly ReferencedInstance[];
}

/** Its result (PS3.4 J.3.3); failure reasons as in PS3.3 C.14.1.1. */
export interface CommitmentResult {
  readonly transactionUid: string;
  readonly committed: readonly ReferencedInstance[];
  readonly failed: readonly (ReferencedInstance & { readonly failureReason: number })[];
}

/**
 * What became of a request: on disk when it is 'accepted'; 'full' when too much waits; 'transaction in use' when another
 * request of this requestor waits under its Transaction UID.
 */
export type CommitmentAcceptance = 'accepted' | 'full' | 'transaction in use';

/** @throws AppError STORE_FAILED. */
export type AcceptCommitment = (request: CommitmentRequest) => Promise<CommitmentAcceptance>;

/**
 * N-EVENT-REPORT to whoever asked, on a new association.
 * @throws AppError COMMITMENT_UNDELIVERED, saying what the peer said or that nobody knows where it is reached.
 */
export type ReportCommitment = (
  to: Pick<CommitmentRequest, 'callingAeTitle' | 'calledAeTitle'>,
  result: CommitmentResult,
  signal: AbortSignal,
) => Promise<void>;

/** N-CREATE or N-SET of a Modality Performed Procedure Step (PS3.4 F.7). */
export interface ProcedureStepMessage {
  readonly kind: 'create' | 'set';
  readonly callingAeTitle: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  readonly dataSet: DataSet;
  /** The data set as it came. */
  readonly dataSetBytes: Uint8Array;
}

export type ProcedureStepAnswer =
  | 'done'
  /** N-CREATE of a step that exists. */
  | 'duplicate'
  /** N-SET of a step that was never created here, or was forgotten. */
  | 'unknown'
  /** N-SET of a step that is COMPLETED or DISCONTINUED (PS3.4 F.7.2.2.2). */
  | 'ended'
  /** N-CREATE without Performed Procedure Step Status (0040,0252). */
  | 'status missing'
  /** A status that the standard does not allow here. */
  | 'status invalid'
  /** No room for more. */
  | 'full';

/** On disk when it resolves with 'done'. @throws AppError STORE_FAILED. */
export type TakeProcedureStep = (message: ProcedureStepMessage) => Promise<ProcedureStepAnswer>;

/**
 * Sends a procedure step's message on, as it came. @returns the status of the response.
 * @throws AppError DELIVERY_FAILED if the peer is not reached or does not answer.
 */
export type RelayProcedureStep = (
  message: Pick<ProcedureStepMessage, 'kind' | 'sopInstanceUid' | 'transferSyntaxUid' | 'dataSetBytes'>,
  signal: AbortSignal,
) => Promise<number>;

/** What an Instance Availability Notification says (PS3.4 annex R). */
export interface AvailabilityNotification {
  readonly callingAeTitle: string;
  readonly studyInstanceUid: string;
  readonly series: readonly {
    readonly seriesInstanceUid: string;
    readonly instances: readonly (ReferencedInstance & {
      /** ONLINE, NEARLINE, OFFLINE or UNAVAILABLE. */
      readonly availability: string;
      readonly retrieveAeTitle: string;
    })[];
  }[];
}

/** Resolves when it is kept: only then it is answered 0x0000. */
export type OnAvailable = (notification: AvailabilityNotification) => Promise<void>;

/** A PACS, archive or workstation as a destination of C-STORE. */
export interface StorageScu {
  /** At most 128 contexts. @throws AppError DELIVERY_FAILED with what the peer said. */
  open(contexts: readonly ProposedStorageContext[], signal: AbortSignal): Promise<StorageAssociation>;
}

/** What a destination is told and asked beside what it is sent; each on an association of its own. */
export interface WorkflowScu {
  /** N-CREATE of an Instance Availability Notification. @returns its status. @throws AppError DELIVERY_FAILED. */
  notify(
    notification: Omit<AvailabilityNotification, 'callingAeTitle'>,
    signal: AbortSignal,
  ): Promise<number>;
  /**
   * N-ACTION that asks for storage commitment. The result may come on the same association, which is kept open for a
   * moment and hands it to `take`, or on one of the destination's own. @returns the status of the N-ACTION.
   * @throws AppError DELIVERY_FAILED.
   */
  askCommitment(
    request: Pick<CommitmentRequest, 'transactionUid' | 'instances'>,
    take: (result: CommitmentResult) => Promise<void>,
    signal: AbortSignal,
  ): Promise<number>;
}

/** One presentation context; of its transfer syntaxes the peer takes one. */
export interface ProposedStorageContext {
  readonly sopClassUid: string;
  readonly transferSyntaxUids: readonly string[];
}

export interface StorageContext {
  readonly sopClassUid: string;
  readonly transferSyntaxUid: string;
}

/** Whose C-MOVE led to a C-STORE (PS3.7 9.1.1.1). */
export interface MoveOriginator {
  readonly aeTitle: string;
  readonly messageId: number;
}

export interface StorageAssociation {
  /** False once it has ended in any way; the peer may end it at any time. */
  readonly isOpen: boolean;
  readonly accepted: readonly StorageContext[];
  /** Resolves with the status of the C-STORE-RSP (PS3.4, table B.2-1). @throws AppError DELIVERY_FAILED. */
  store(
    instance: StorageContext & { readonly sopInstanceUid: string },
    dataSet: AsyncIterable<Uint8Array>,
    moveOriginator?: MoveOriginator,
  ): Promise<number>;
  release(): Promise<void>;
  /** Resolves when the connection is closed. */
  abort(): Promise<void>;
}

/** Brings data sets into another transfer syntax without losing anything that was kept, in bounded memory and time. */
export interface Transcoder {
  /** Into what it can bring this transfer syntax, the preferred one first; empty if there is no lossless way. */
  targets(transferSyntaxUid: string): readonly string[];
  /** @throws AppError TRANSCODING_FAILED with what is in the way: the data set's size, form or time. */
  transcode(
    dataSet: AsyncIterable<Uint8Array>,
    from: string,
    to: string,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
}

/** Replaces the patient's identifiers in a data set; the previous ones go to the Original Attributes Sequence. */
export type Reconcile = (
  dataSet: AsyncIterable<Uint8Array>,
  transferSyntaxUid: string,
  coercion: PatientCoercion,
) => AsyncIterable<Uint8Array>;

export interface PatientCoercion {
  /** Patient ID (0010,0020). */
  readonly patientId: string;
  /** Issuer of Patient ID (0010,0021); empty leaves none, since a foreign issuer would belie a local ID. */
  readonly issuer: string;
  /** Source of Previous Values (0400,0564): the institution that the values came from. */
  readonly source: string;
  /** Attribute Modification DateTime (0400,0562), UTC milliseconds. */
  readonly at: number;
}

/** A study as the hospital's archive lists it. */
export interface ArchivedStudy {
  readonly studyInstanceUid: string;
  readonly patientId: string;
  readonly issuer: string;
  readonly name: string;
  readonly birthDate: string;
  readonly sex: string;
  /** DA. */
  readonly date: string;
  readonly description: string;
}

export interface ArchivedInstance {
  readonly seriesInstanceUid: string;
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly modality: string;
}

/** The hospital's PACS as it is asked for what it holds (PS3.4 annex C, Study Root). Faults throw DELIVERY_FAILED. */
export interface ArchiveScu {
  /** Its AE title, under which it also sends what is moved. */
  readonly aeTitle: string;
  /** Studies of that day (DA), as they are listed. */
  studiesOf(day: string, signal: AbortSignal): AsyncIterable<ArchivedStudy>;
  study(studyInstanceUid: string, signal: AbortSignal): Promise<ArchivedStudy | undefined>;
  instancesOf(studyInstanceUid: string, signal: AbortSignal): Promise<readonly ArchivedInstance[]>;
  /**
   * Resolves when the archive has sent the study to this box, or what it could of it. It may be silent for hours before
   * it sends anything; the signal ends that. `heard` is called at each of its responses.
   */
  move(
    studyInstanceUid: string,
    signal: AbortSignal,
    heard?: () => void,
  ): Promise<{ readonly completed: number; readonly failed: number }>;
}
