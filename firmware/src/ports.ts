/**
 * What the rooms ask of each other, as types only. Driving rooms (validator, ingest, release) are written against
 * these; adapters (store, p2p, http, dimse, tpm) provide them; main.ts joins them.
 */
import type { CborValue } from './encoding/canonical-cbor.ts';
import type { ErrorCode } from './errors.ts';
import type { Certificate } from './consensus/types.ts';
import type { Block, Institution, LedgerState, StudyId, Transaction } from './ledger/types.ts';

/** Time, injected so that promised bounds can be tested. */
export interface Clock {
  /** UTC, milliseconds since 1970. */
  now(): number;
  /** Resolves after the time or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  setTimer(ms: number, run: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** A structured log without patient data (a canary test holds that). Fields are identifiers, counts and codes. */
export interface Logger {
  child(fields: Record<string, string>): Logger;
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

/** A long-lived part. `stop()` resolves when nothing of it runs any more. */
export interface Service {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A signing key that never leaves its holder. Ed25519 over the message as it is (RFC 8032). */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

/** The one rule for Ed25519 signatures: node:crypto's, injected into the pure rooms. */
export type VerifySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** What the TPM gives a box: made at first start, sealed to this TPM and this firmware. */
export interface DeviceKeys {
  /** P-256, uncompressed SEC1 point, 65 bytes; the private half never leaves the TPM. */
  readonly identityPublicKey: Uint8Array;
  /** ECDSA P-256 with SHA-256 over the message; 64 bytes r ‖ s, s normalised to the low half. */
  signWithIdentity(message: Uint8Array): Promise<Uint8Array>;
  /** Votes on blocks. */
  readonly voting: Signer;
  /** Signs the institution's transactions. */
  readonly transaction: Signer;
  /** libp2p and the TLS plane. The seed is needed to build their certificates. */
  readonly transport: Signer & { readonly seed: Uint8Array };
  /** Wraps study keys and index keys. 32 bytes, AES-256. */
  readonly boxKey: Uint8Array;
  /** Seed of the institution's own account, to which grants are addressed. 32 bytes. */
  readonly accountSeed: Uint8Array;
}

export type TpmHealth = 'ready' | 'absent' | 'locked-out' | 'policy-mismatch' | 'wedged' | 'wrong-tpm';

export type InstitutionId = string;

export interface PeerStatus {
  readonly institution: InstitutionId;
  readonly connected: boolean;
  /** When the connection was made or lost, UTC milliseconds. */
  readonly since: number;
}

/** Authenticated messages between members. A stranger never reaches a handler. */
export interface Network {
  readonly self: InstitutionId;
  peers(): readonly PeerStatus[];
  onPeerChange(listener: () => void): Unsubscribe;
  /**
   * One-way message on the direct stream to that member. Bounded queue per peer: the oldest is dropped when a peer
   * is slow, so that nobody else waits (consensus re-sends what matters). Never throws for an absent peer.
   */
  send(to: InstitutionId, message: Uint8Array): void;
  /** One handler. A promise that it returns holds back further reading from that peer (backpressure). */
  onMessage(handler: (from: InstitutionId, message: Uint8Array) => void | Promise<void>): Unsubscribe;
  /**
   * One request, one answer. @throws AppError PEER_UNREACHABLE (no connection, time-out) or PEER_MISBEHAVED
   * (answer too long).
   */
  request(
    to: InstitutionId,
    protocol: string,
    body: Uint8Array,
    options?: RequestOptions,
  ): Promise<Uint8Array>;
  handle(
    protocol: string,
    handler: (from: InstitutionId, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>,
  ): Unsubscribe;
}

export interface RequestOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly answerBytesMax?: number;
}

export type Unsubscribe = () => void;

/** The finalised ledger as the rest of the box sees it, and the way to add to it. */
export interface Ledger {
  head(): LedgerHead;
  state(): LedgerState;
  /**
   * Resolves when the transaction is in a final block, or with the reason why it never will be.
   * @throws AppError MEMPOOL_FULL.
   */
  submit(transaction: Uint8Array, signal?: AbortSignal): Promise<Submitted>;
  /** Called for each final block in order, after its state is the one that `state()` returns. */
  onFinal(listener: (final: FinalBlock) => void): Unsubscribe;
  /** The final blocks from a height on, in order, from disk. */
  blocks(fromHeight: number): AsyncIterable<FinalBlock>;
  /** The evidence for the head's state root: header and finalization certificate. */
  evidence(): { readonly block: Block; readonly certificate: Certificate };
}

export interface LedgerHead {
  readonly height: number;
  /** Block time, UTC milliseconds. */
  readonly time: number;
  /** Digest of the block. */
  readonly digest: Uint8Array;
}

export interface FinalBlock {
  readonly block: Block;
  readonly transactions: readonly Transaction[];
}

export type Submitted =
  | { readonly kind: 'final'; readonly height: number; readonly time: number }
  | { readonly kind: 'refused'; readonly reason: string };

/** An append-only log whose records are on disk (fsync) when `append` resolves. Failure is fatal to its user. */
export interface AppendLog {
  /** All records at once, one fsync. @throws AppError STORE_FAILED; the log takes no further record after that. */
  append(records: readonly Uint8Array[]): Promise<void>;
  /** All records from the first on. */
  read(): AsyncIterable<Uint8Array>;
  /** The record at this index (0 is the first). */
  at(index: number): Promise<Uint8Array>;
  readonly length: number;
  close(): Promise<void>;
}

/** An append-only log whose older records can be dropped, so that it does not grow for ever. */
export interface ReplaceableLog extends AppendLog {
  /**
   * Puts these records in the place of all others, atomically and on disk when it resolves: a crash leaves the old
   * ones or the new. @throws AppError STORE_FAILED; the old records then stand as before, or, if it is unknown which
   * do, the log takes no further record.
   */
  replace(records: readonly Uint8Array[]): Promise<void>;
}

/** Rebuildable or encrypted state by key. `write` is atomic and on disk (fsync) when it resolves. */
export interface KeyValueStore {
  get(key: string): Promise<Uint8Array | undefined>;
  /** Keys with the prefix in order, with their values. */
  list(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>;
  write(changes: readonly KeyValueChange[]): Promise<void>;
}

export type KeyValueChange =
  { readonly put: string; readonly value: Uint8Array } | { readonly delete: string };

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

/** Takes one object as it arrives. The C-STORE-RSP goes out only when `finish` has resolved. */
export interface StoreSink {
  /**
   * A view to be used or copied until the promise resolves, or before `write` returns if it gives none: it is then
   * overwritten. The promise holds back the socket until it resolves (backpressure).
   */
  write(chunk: Uint8Array): Promise<void> | undefined;
  finish(): Promise<{ readonly status: number; readonly comment?: string }>;
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

/** On disk when it resolves with 'accepted'; 'full' when too much waits. @throws AppError STORE_FAILED. */
export type AcceptCommitment = (request: CommitmentRequest) => Promise<'accepted' | 'full'>;

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

/** The TLS plane as a grantee uses it: both ends have proved the transport keys that are final on the ledger. */
export interface PlaneConnection {
  /** Keying material exported from this connection. */
  readonly exporter: Uint8Array;
  /** Frames of the answer. @throws AppError NOT_RELEASED (refused) or PEER_UNREACHABLE (broken, truncated). */
  request(body: Uint8Array): AsyncIterable<Uint8Array>;
  close(): void;
}

export type OpenPlane = (member: Institution, signal: AbortSignal) => Promise<PlaneConnection>;

/** A patient's study at rest: its records and its objects, encrypted under the study's own key. */
export interface StudyFolder {
  /** 16 random bytes in hexadecimal: says nothing of the study. */
  readonly ref: string;
  /**
   * On disk (fsync) when it resolves. Records stand in the order of the calls; those that come while others are being
   * flushed share the next flush. @throws AppError STORE_FAILED; nothing of it may be acknowledged after that.
   */
  append(record: CborValue): Promise<void>;
  /** A new object under a random name, of which no record tells yet. */
  createObject(): ObjectWriter;
  openObject(object: StoredObject): Promise<ObjectReader>;
  /** Nothing more is expected for now: gives back what is held for the next record. Resolves when it is given back. */
  rest(): Promise<void>;
  /** Erases it: after a crash all of it is there or nothing. Nobody may use it any more. @throws AppError STORE_FAILED. */
  remove(): Promise<void>;
}

export interface StoredObject {
  readonly ref: string;
  /** The byte at which its frame begins in the study's log; null for a large object, which has a file of its own. */
  readonly frame: number | null;
  /** Bytes of the plaintext. */
  readonly length: number;
  /** Tag of the last segment: an object that was exchanged as a whole, or lacks its end, is noticed. */
  readonly lastTag: Uint8Array;
}

export interface ObjectWriter {
  /**
   * The bytes are used before it returns. Resolves (or returns undefined at once) when more may be written: backpressure
   * from the disk. @throws AppError STORE_FAILED, as a rejection.
   */
  write(bytes: Uint8Array): Promise<void> | undefined;
  /** Nothing more is written. @throws AppError STORE_FAILED, after which nothing of it is left. */
  finish(): Promise<SealedObject>;
  /** Removes what was written. */
  abort(): Promise<void>;
}

/** An object that is complete and of which no record tells yet: it is nowhere after a crash. */
export interface SealedObject {
  /**
   * Object and record are on disk (fsync) when it resolves; as `StudyFolder.append` otherwise. The record is made before
   * it returns. @throws AppError STORE_FAILED.
   */
  append(recordOf: (stored: StoredObject) => CborValue): Promise<void>;
  /** To look at it before it is decided whether it is appended. @throws AppError STORE_CORRUPT. */
  open(): Promise<ObjectReader>;
  /** Removes it instead: nobody was told of it. */
  discard(): Promise<void>;
}

export interface ObjectReader {
  readonly segmentCount: number;
  /** The plaintext of segment `index`, verified. @throws AppError STORE_CORRUPT. */
  segment(index: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A study as it was found at start. */
export interface FoundStudy {
  readonly folder: StudyFolder;
  /** Its records, in order: handed over once, since a box with many studies has no memory to hold them twice. */
  readonly records: readonly CborValue[];
}

export interface ObjectStore {
  /** All studies, read and verified at start. */
  open(): AsyncIterable<FoundStudy>;
  createStudy(): Promise<StudyFolder>;
}

/** What is wrong with the box now; the console shows it with since-when and what-to-do. */
export interface HealthBoard {
  raise(code: ErrorCode, subject: string, detail: string): void;
  clear(code: ErrorCode, subject: string): void;
  list(): readonly HealthItem[];
  onChange(listener: () => void): Unsubscribe;
}

export interface HealthItem {
  readonly code: ErrorCode;
  /** What it is about: a peer, a disk, a destination. Never a patient. */
  readonly subject: string;
  readonly detail: string;
  readonly since: number;
  readonly remedy: string;
}

export type { CborValue, Institution, StudyId };
