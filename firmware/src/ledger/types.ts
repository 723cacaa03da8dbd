/** What stands on the ledger: transactions, blocks, records. Byte formats: docs/formats.md. Nothing here knows DICOM. */
import type { MerkleFrontier } from '../encoding/merkle-frontier.ts';
import type { BasisReason } from './access/basis.ts';
import type { BasisRecord } from './access/basis-record.ts';
import type { OpenRecord } from './access/open-record.ts';
import type { AccessBody } from './access/transactions.ts';
import type { ConsortiumBody } from './consortium/transactions.ts';
import type { GuiltRecord, Guilty } from './consortium/guilt-record.ts';
import type { ProposalId, ProposalRecord } from './consortium/proposal-record.ts';
import type { FormatsRecord } from './formats/formats-record.ts';
import type { FormatSignal } from './formats/signal.ts';
import type { ReleaseBody } from './releases/transactions.ts';
import type { FormerOriginsRecord } from './releases/former-origins-record.ts';
import type { ReleaseDigest, ReleaseRecord } from './releases/release-record.ts';
import type { EpochRecord } from './consortium/epoch-record.ts';
import type { DeviceRecord, Institution, InstitutionRecord } from './consortium/institution-record.ts';
import type { KeyQuorum } from './consortium/key-quorum.ts';
import type { Parameters } from './consortium/parameters.ts';
import type { RuleReason } from './refusals.ts';
import type { BatchRecord } from './studies/batch-record.ts';
import type { StudyLeaf } from './studies/leaf.ts';
import type { StudyRecord } from './studies/study-record.ts';
import type { StudyBody } from './studies/transactions.ts';

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** Lower-case hexadecimal of 32 bytes, so that it can key a map. */
export type StudyId = Branded<string, 'StudyId'>;
export type BasisId = Branded<string, 'BasisId'>;
export type OpenId = Branded<string, 'OpenId'>;
/** H("transaction", encoded transaction). */
export type TransactionId = Branded<string, 'TransactionId'>;

/** Digest of the genesis document, 32 bytes: every signature on the ledger is made for one chain. */
export type ChainId = Uint8Array;

export interface Genesis {
  readonly name: string;
  /** UTC milliseconds; the time of block 0. */
  readonly time: number;
  readonly validators: readonly string[];
  readonly institutions: readonly Institution[];
  readonly parameters: Parameters;
  /** Keys that sign releases; nobody's: none can be published. */
  readonly vendor: KeyQuorum;
  /** A consortium of simulators, for development: it takes the certificates that swtpm makes. It cannot be changed. */
  readonly development: boolean;
}

/** What every body has, besides its type. */
export interface BodyBase {
  readonly chain: ChainId;
  /** Block time after which it is refused, UTC milliseconds. */
  readonly validUntil: number;
}

export type TransactionBody = StudyBody | AccessBody | ConsortiumBody | ReleaseBody | FormatSignal;

/** A transaction: its body and its signatures in the order that its type names. */
export interface Transaction {
  readonly body: TransactionBody;
  readonly signatures: readonly Uint8Array[];
}

export interface BlockHeader {
  readonly chain: ChainId;
  readonly epoch: number;
  readonly height: number;
  /** Consensus view in which it was proposed. */
  readonly view: number;
  /** Digest of the parent block; 32 zero bytes for block 0. */
  readonly parent: Uint8Array;
  /** View of the parent, so that a vote can be judged from headers alone. */
  readonly parentView: number;
  /** UTC milliseconds, later than the parent's. */
  readonly time: number;
  readonly proposer: string;
  /** RFC 9162 Merkle tree hash over the encoded transactions. */
  readonly transactionsRoot: Uint8Array;
  /** RFC 9162 Merkle tree hash over the digests of all blocks before this one, from block 0 on (history.ts). */
  readonly historyRoot: Uint8Array;
  /** Root of the state after this block. */
  readonly stateRoot: Uint8Array;
}

export interface Block {
  readonly header: BlockHeader;
  /** Encoded transactions. */
  readonly transactions: readonly Uint8Array[];
}

/** Proof that a key has this value, or none, under a state root (state-proof.ts). */
export interface StateProof {
  readonly key: string;
  readonly value: Uint8Array | null;
  /** Hashes of the subtrees beside the path, from the leaf up to the root; verified by `verifyStateProof`. */
  readonly siblings: readonly Uint8Array[];
  /** For absence: the other leaf at the place, if any. */
  readonly otherLeaf: { readonly keyHash: Uint8Array; readonly valueHash: Uint8Array } | null;
}

/** Ids of members, in order. */
export interface Voters {
  readonly approvedBy: readonly string[];
  readonly rejectedBy: readonly string[];
}

/** One difference between two states; null: the key is gone. */
export interface StateChange {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** An immutable snapshot of the ledger's state. */
export interface LedgerState {
  readonly root: Uint8Array;
  readonly chain: ChainId;
  institution(id: string): InstitutionRecord | undefined;
  /** All members, in the order of their ids. */
  institutions(): readonly InstitutionRecord[];
  /** The epoch of the next block: after a block that closes its epoch it is the following one. */
  epoch(): EpochRecord;
  /** An epoch by its number: the current one, or one of the last `epochsKeptMax`. */
  epochOf(number: number): EpochRecord | undefined;
  /** True of the header of a block that closes its epoch: asked of the state before the block or after it. */
  closesEpoch(header: Pick<BlockHeader, 'epoch' | 'time'>): boolean;
  /** Ids of the current epoch's validators, in the order of their index. */
  validators(): readonly string[];
  /** Ids of the next epoch's validators, as the votes so far want them. */
  nextValidators(): readonly string[];
  parameters(): Parameters;
  /** The digests of the blocks before the one whose state this is, as an RFC 9162 tree that can go on. */
  history(): MerkleFrontier;
  /** Keys that sign releases. */
  vendor(): KeyQuorum;
  /** The last record of an institution that was removed by vote. */
  departed(id: string): InstitutionRecord | undefined;
  proposal(id: ProposalId): ProposalRecord | undefined;
  /** Who has voted on a proposal that stands, of those who are members now. @throws Error if none stands. */
  voters(id: ProposalId): Voters;
  /** Proposals that are not decided, oldest first. Those whose `expiry` has passed in block time may still be among them. */
  proposals(): readonly { readonly id: ProposalId; readonly proposal: ProposalRecord }[];
  /** What was proved against an institution in an epoch. */
  guilt(epoch: number, institution: string): GuiltRecord | undefined;
  /** Where the last records of guilt stand, oldest first. */
  guilty(): readonly Guilty[];
  release(digest: ReleaseDigest): ReleaseRecord | undefined;
  /** Ids of the members that have accepted it, in order; none of a release that does not stand. */
  acceptedBy(digest: ReleaseDigest): readonly string[];
  /** Signature of a member's acceptance (`acceptanceMessage`), if it has accepted it. */
  acceptanceOf(digest: ReleaseDigest, institution: string): Uint8Array | undefined;
  /** Digests of the last releases, oldest first. */
  releases(): readonly Uint8Array[];
  /** Boot authorities and releases that are named no more, and until when they counted for a device that came. */
  formerOrigins(): FormerOriginsRecord;
  formats(): FormatsRecord;
  /** Format of the block at this height, as far as this state tells: compare it with `formatKnown`. */
  formatAt(height: number): number;
  /** None of a study that was registered in bulk and not used yet. */
  study(id: StudyId): StudyRecord | undefined;
  /** The record of a leaf's study, or, before its first use, the one that the leaf proves. */
  studyOf(leaf: StudyLeaf): StudyRecord | undefined;
  basis(id: BasisId): BasisRecord | undefined;
  /** A registration in bulk: its studies have no records before their first use. */
  batch(source: string, batch: Uint8Array): BatchRecord | undefined;
  /**
   * True if the basis is on the ledger and nobody took it back: no revocation, no new owner. Time, and the study's status,
   * are asked by `basisRefusal`.
   */
  basisStands(id: BasisId): boolean;
  /** Why the basis permits no release at this time (UTC milliseconds), or undefined. */
  basisRefusal(id: BasisId, time: number): BasisReason | 'unknown-basis' | undefined;
  /** Opens of a study are numbered from 1. */
  open(studyId: StudyId, number: number): OpenRecord | undefined;
  openById(id: OpenId): OpenRecord | undefined;
  prove(key: string): StateProof;
}

export interface BlockContext {
  readonly height: number;
  readonly time: number;
  /** Ed25519 by the one rule (node:crypto's), injected to keep this room pure. */
  readonly verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
}

export type Applied =
  | { readonly kind: 'applied'; readonly state: LedgerState }
  | { readonly kind: 'refused'; readonly reason: RuleReason };

export type * from './access/transactions.ts';
export type * from './studies/transactions.ts';
export type { BasisReason, BasisRecord, BatchRecord, StudyLeaf, Institution, OpenRecord, StudyRecord };
export type { BasisKind, EmergencyState, StudyBasisRecord } from './access/basis-record.ts';
export type { StudyEntry } from './studies/leaf.ts';
export type { PendingReassignment, StudyStatus } from './studies/study-record.ts';
export type { OpenNumberRecord } from './access/open-record.ts';
export type { RevocationRecord } from './access/revocation-record.ts';
export type { DeviceRecord, EpochRecord, InstitutionRecord, KeyQuorum, Parameters };
export type { FormatSignal, FormatsRecord, GuiltRecord, Guilty };
export type { FormerOriginsRecord, FormerValue } from './releases/former-origins-record.ts';
export type { ProposalId, ProposalRecord, ReleaseDigest, ReleaseRecord };
export type { ProposalAction } from './consortium/action.ts';
export type { Offence } from './consortium/guilt-record.ts';
export type * from './consortium/transactions.ts';
export type * from './releases/transactions.ts';
export type { EpochValidator } from './consortium/epoch-record.ts';
export type { CertifiedKeys } from './consortium/institution-record.ts';
