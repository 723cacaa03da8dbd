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

/**
 * The keys of this box for one purpose, sealed on its disk: the one in use, and others that were made to follow it. A key
 * is erased when another has taken its place.
 */
export interface HeldKeys<Key extends Signer = Signer> {
  /** Public keys of those that it holds, 32 bytes each, oldest first. */
  held(): readonly Uint8Array[];
  /** Undefined if the box does not hold this key, or no more. */
  signer(publicKey: Uint8Array): Key | undefined;
  /**
   * Makes one more; its public key. It is on disk when it resolves.
   * @throws AppError STORE_FAILED, TPM_FAILED (it holds as many as it may), or of the TPM.
   */
  make(): Promise<Uint8Array>;
  /** Erases all but these. @throws AppError STORE_FAILED. */
  keepOnly(publicKeys: readonly Uint8Array[]): Promise<void>;
}

/** They are erased when their epoch is over, so that whoever takes the box later cannot vote on the past. */
export type VotingKeys = HeldKeys;

/** The seed is needed to build the certificates of libp2p and of the TLS plane. */
export interface TransportKey extends Signer {
  /** 32 bytes. */
  readonly seed: Uint8Array;
}

/** What the maker of the TPM vouches for. */
export interface Endorsement {
  /** TPM2B_PUBLIC of the endorsement key, to which credentials are made (TPM 2.0 part 2, 12.2.5). */
  readonly publicArea: Uint8Array;
  readonly name: Uint8Array;
  /** X.509, DER. */
  readonly certificate: Uint8Array;
  /** Those between it and the maker's root, where the TPM holds them. */
  readonly chain: readonly Uint8Array[];
}

/** What the attestation key signed: a TPMS_ATTEST (part 2, 10.12.8), and ECDSA P-256 with SHA-256 over it as r ‖ s. */
export interface SignedAttestation {
  readonly attested: Uint8Array;
  readonly signature: Uint8Array;
}

/** What the TPM said of the identity key when it was made, and what opens that key besides approved firmware. */
export interface KeyOrigin {
  /** Of PCRs 7 and 11 then, 32 bytes each. */
  readonly registers: readonly Uint8Array[];
  /** TPMS_CREATION_DATA (part 2, 15.1). */
  readonly creation: Uint8Array;
  /** By which the attestation key says that its TPM made the key so (TPM2_CertifyCreation). */
  readonly certified: SignedAttestation;
  /** By which the firmware that made it says that it has taken the TPM since: a quote of the same registers. */
  readonly taken: SignedAttestation;
  /** The offline key (SEC1, 65 bytes) and the Name of what the recovery code authorizes (34 bytes), where there are any. */
  readonly rescue?: { readonly key: Uint8Array; readonly lockName: Uint8Array };
}

/**
 * What this box proves of its TPM to others, who verify it by themselves. Endorsement key, attestation key and identity
 * key were recorded together when they were made; another endorsement key is a fault, never an answer.
 * All throw AppError as the TPM's other operations do, TPM_WRONG among them.
 */
export interface Attester {
  /** TPM2B_PUBLIC of the attestation key, restricted ECDSA P-256. */
  readonly attestationPublicArea: Uint8Array;
  /** Its Name (part 1, section 16), 34 bytes. */
  readonly attestationName: Uint8Array;
  /** TPM2B_PUBLIC of the identity key. */
  readonly identityPublicArea: Uint8Array;
  /** SHA-256 of the endorsement key's certificate, as it was recorded. */
  readonly endorsementDigest: Uint8Array;
  endorsement(): Promise<Endorsement>;
  /** The same as long as the keys are. */
  readonly origin: KeyOrigin;
  /** What these PCRs of the SHA-256 bank hold (TPM2_Quote). At most 64 bytes of nonce. */
  quote(nonce: Uint8Array, registers: readonly number[]): Promise<SignedAttestation>;
  /** Their values, 32 bytes each, in the order asked for; the TPM itself says so, nobody between it and the box. */
  readRegisters(registers: readonly number[]): Promise<Uint8Array[]>;
  /** The TCG event log of this boot, crypto-agile. @throws AppError EVENT_LOG_UNUSABLE alone, naming the file. */
  eventLog(): Promise<Uint8Array>;
  /** Opens a credential that was made for this endorsement key and this attestation key's Name. */
  activate(credential: Uint8Array, encryptedSecret: Uint8Array): Promise<Uint8Array>;
}

/**
 * How the running firmware stands: alone approved; first of two, with an update that waits; or second, on trial, while the
 * one before it may still come back.
 */
export type FirmwareStanding = 'alone' | 'update-waits' | 'on-trial';

/**
 * Which firmware may open the keys of this box: the one that runs, and the one that is to follow it. Only approved firmware
 * can approve. Throws AppError of the TPM, and STORE_FAILED.
 */
export interface FirmwareApproval {
  standing(): FirmwareStanding;
  /**
   * Before an update: what the TPM's registers 7 and 11 will hold when the next firmware runs, 32 bytes each. It takes the
   * place of another next one. The update itself must have been verified before.
   */
  approveNext(values: readonly Uint8Array[]): Promise<void>;
  /** Once the running firmware has proved healthy: it alone stays approved, and those before it never open a key again. */
  confirm(): Promise<void>;
}

/** A counter in the TPM that nobody can set back: it takes a step at each start of the box as a validator. */
export interface StartCounter {
  /** Its value when the keys of the box were made: a box at which it stands there has never voted with them. */
  readonly first: number;
  /** @throws AppError of the TPM, as below. */
  value(): Promise<number>;
  /** One step; the value after it. */
  advance(): Promise<number>;
}

/** What the TPM gives a box: made at first start, sealed to this TPM and this firmware. */
export interface DeviceKeys {
  /** P-256, uncompressed SEC1 point, 65 bytes; the private half never leaves the TPM. */
  readonly identityPublicKey: Uint8Array;
  /** ECDSA P-256 with SHA-256 over the message; 64 bytes r ‖ s, s normalised to the low half. */
  signWithIdentity(message: Uint8Array): Promise<Uint8Array>;
  /** Votes on blocks. */
  readonly voting: VotingKeys;
  readonly starts: StartCounter;
  /** Sign the institution's transactions. */
  readonly transaction: HeldKeys;
  /** libp2p and the TLS plane. */
  readonly transport: HeldKeys<TransportKey>;
  readonly attester: Attester;
  readonly firmware: FirmwareApproval;
  /** Wraps study keys and index keys. 32 bytes, AES-256. */
  readonly boxKey: Uint8Array;
  /** Seed of the institution's own account, to which grants are addressed. 32 bytes. */
  readonly accountSeed: Uint8Array;
}

/** What a box signs with as a member of the ledger. */
export type MemberKeys = Pick<DeviceKeys, 'voting' | 'starts' | 'identityPublicKey' | 'signWithIdentity'> & {
  /** Signs the institution's transactions. */
  readonly transaction: Signer;
};

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
  /** What this epoch handed to the next (docs/formats.md, "Handover"); undefined until it is complete. */
  handover(epoch: number): Promise<Uint8Array | undefined>;
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

/** A log that says what it takes on the disk. */
export interface SizedLog extends AppendLog {
  /** Bytes of its records and their frames. */
  readonly bytes: number;
}

/** A folder of logs of one kind, each under a number. */
export interface LogFolder {
  /** In ascending order. */
  numbers(): Promise<readonly number[]>;
  /** Begins it if it is not there. Its user closes it. @throws AppError STORE_CORRUPT, STORE_FAILED. */
  open(number: number): Promise<SizedLog>;
  /** With all its records; it must be closed. None is no error. @throws AppError STORE_FAILED. */
  remove(number: number): Promise<void>;
  /** What the logs take on the disk, space taken ahead included. */
  bytes(): Promise<number>;
}

/** An append-only log whose oldest records can be dropped; the others keep their indexes. */
export interface PrunableLog extends AppendLog {
  /** Index of the oldest record that is kept; `length` if there is none. */
  readonly first: number;
  /** What it takes on the disk, space taken ahead included. */
  bytes(): Promise<number>;
  /** Drops records below this index, in whole pieces: some of them may stay. A crash leaves a part of them. */
  dropBefore(index: number): Promise<void>;
  /** Drops everything; the next record has this index. A crash leaves the newest records, or none. */
  restartAt(index: number): Promise<void>;
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
  /**
   * A new object under a random name, of which no record tells yet. Under each of the keys its leaves of the commitment
   * are computed as its bytes pass (PROTOCOL.md, "Commitment to a study"); each costs a pass.
   */
  createObject(leafKeys: readonly Uint8Array[]): ObjectWriter;
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
  /** Bytes of the plaintext. */
  readonly length: number;
  /** For each key that `createObject` was given, the leaves of all chunks, 32 bytes each, joined. */
  readonly leaves: readonly Uint8Array[];
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
  /**
   * All studies, read and verified at start. One that is damaged ends it; with `setAside` it is left out, kept as it is
   * under another name, and told at this start and at each later one. `found` is told first how many there are, before
   * any is read; some of them may turn out to hold nothing.
   * @throws AppError STORE_CORRUPT.
   */
  open(setAside?: (name: string) => void, found?: (studies: number) => void): AsyncIterable<FoundStudy>;
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
export type * from './ports-dicom.ts';
