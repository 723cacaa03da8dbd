/** What stands on the ledger: transactions, blocks, records. Byte formats: docs/formats.md. Nothing here knows DICOM. */
import type { Domain } from '../encoding/hash.ts';
import type { RuleReason } from './refusals.ts';

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** Lower-case hexadecimal of 32 bytes, so that it can key a map. */
export type StudyId = Branded<string, 'StudyId'>;
export type GrantId = Branded<string, 'GrantId'>;
export type OpenId = Branded<string, 'OpenId'>;
/** H("transaction", encoded transaction). */
export type TransactionId = Branded<string, 'TransactionId'>;

/** Digest of the genesis document, 32 bytes: every signature on the ledger is made for one chain. */
export type ChainId = Uint8Array;

export interface CertifiedKeys {
  /** Ed25519, 32 bytes each. */
  readonly voting: Uint8Array;
  readonly transaction: Uint8Array;
  readonly transport: Uint8Array;
  /** P-256 identity key, uncompressed, 65 bytes. */
  readonly identity: Uint8Array;
  /** Identity key's ECDSA signature (64 bytes, low s) over domain `keys`, institution id, the three keys and expiry. */
  readonly certificate: Uint8Array;
  /** UTC milliseconds. */
  readonly expiry: number;
}

export interface Institution {
  /** Lower-case letters, digits and dashes, at most 32: stable, public. */
  readonly id: string;
  readonly name: string;
  readonly keys: CertifiedKeys;
  /** Account of the institution, to which grants are addressed: S (Ed25519 point) and V (X25519), 32 bytes each. */
  readonly account: { readonly spend: Uint8Array; readonly view: Uint8Array };
  readonly endpoints: {
    /** libp2p multiaddr without the peer id, e.g. /ip4/127.0.0.1/tcp/4001. */
    readonly p2p: string;
    /** Host and port of the TLS plane, e.g. 127.0.0.1:4002. */
    readonly plane: string;
    /** Origin of the console and wallet service, e.g. https://127.0.0.1:4003. */
    readonly https: string;
  };
}

export interface Genesis {
  readonly name: string;
  /** UTC milliseconds; the time of block 0. */
  readonly time: number;
  readonly validators: readonly string[];
  readonly institutions: readonly Institution[];
}

interface BodyBase {
  readonly chain: ChainId;
  /** Block time after which it is refused, UTC milliseconds. */
  readonly validUntil: number;
}

export interface StudyRegister extends BodyBase {
  readonly type: 'study.register';
  readonly source: string;
  /** 16 random bytes; with the entry's index it makes the study's id. */
  readonly batch: Uint8Array;
  /** R, X25519, 32 bytes: one for the batch. */
  readonly ephemeral: Uint8Array;
  readonly entries: readonly {
    readonly commitment: Uint8Array;
    readonly ownerKey: Uint8Array;
    /** 0 to 255: lets a wallet that scans skip what is not its own. */
    readonly tag: number;
    readonly noteHash: Uint8Array;
  }[];
}

export interface StudyAmend extends BodyBase {
  readonly type: 'study.amend';
  readonly source: string;
  readonly studyId: Uint8Array;
  /** Version of the study after it: exactly one more than before (registration is version 1). */
  readonly version: number;
  readonly commitment: Uint8Array;
  readonly noteHash: Uint8Array;
  /** True when the source holds the study to be complete; a later amendment may open it again. */
  readonly closed: boolean;
}

export interface AccessGrant extends BodyBase {
  readonly type: 'access.grant';
  readonly studyId: Uint8Array;
  readonly ownerEpoch: number;
  /** Exactly one more than the study's last grant; the first is 1. */
  readonly seq: number;
  /** K_g: one-time key derived from the grantee institution's account. */
  readonly granteeKey: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly tag: number;
  /** H("terms", salt ‖ terms). */
  readonly termsHash: Uint8Array;
  readonly notBefore: number;
  readonly expiry: number;
  readonly maxOpens: number;
  /** Whether the grant covers versions of the study after the one that stands when it becomes final. */
  readonly amendments: boolean;
  /** Sealed note of fixed size (protocol/grant-note.ts). */
  readonly note: Uint8Array;
}

export interface AccessRevoke extends BodyBase {
  readonly type: 'access.revoke';
  readonly studyId: Uint8Array;
  readonly ownerEpoch: number;
  /** One grant by its id, or all grants up to and including a seq; valid even before they arrive. */
  readonly target: { readonly grantId: Uint8Array } | { readonly upTo: number };
}

export interface AccessOpen extends BodyBase {
  readonly type: 'access.open';
  readonly source: string;
  readonly studyId: Uint8Array;
  readonly grantId: Uint8Array;
  /** Opens under this grant so far + 1. */
  readonly openNo: number;
  /** The commitment that the source will stream: the study's current one, or the grant's. */
  readonly head: Uint8Array;
}

export interface AccessClose extends BodyBase {
  readonly type: 'access.close';
  readonly source: string;
  readonly studyId: Uint8Array;
  readonly openId: Uint8Array;
  /** H("close", t_g ‖ openId ‖ commitment received): opened by source, grantee and owner alone. */
  readonly digest: Uint8Array;
  /** ⌈log2(bytes)⌉, so that the ledger shows no exact size. */
  readonly sizeBucket: number;
}

export type TransactionBody =
  StudyRegister | StudyAmend | AccessGrant | AccessRevoke | AccessOpen | AccessClose;

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
  /** Root of the state after this block. */
  readonly stateRoot: Uint8Array;
}

export interface Block {
  readonly header: BlockHeader;
  /** Encoded transactions. */
  readonly transactions: readonly Uint8Array[];
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
  readonly grantSeq: number;
  /** All grants up to this seq are revoked. */
  readonly revokedUpTo: number;
  /** Opens of this study under all grants: a proof of it shows a list of receipts to be complete. */
  readonly opens: number;
}

export interface GrantRecord {
  readonly studyId: Uint8Array;
  readonly ownerEpoch: number;
  readonly seq: number;
  readonly granteeKey: Uint8Array;
  readonly notBefore: number;
  readonly expiry: number;
  readonly maxOpens: number;
  readonly amendments: boolean;
  /** The study's commitment when the grant became final. */
  readonly head: Uint8Array;
  readonly opens: number;
  readonly grantedAt: number;
}

export interface OpenRecord {
  readonly openId: Uint8Array;
  readonly grantId: Uint8Array;
  readonly openNo: number;
  readonly head: Uint8Array;
  readonly openedAt: number;
  readonly closed: { readonly digest: Uint8Array; readonly sizeBucket: number; readonly at: number } | null;
}

/** That a grant is revoked: under `revoked/<grant>`, or under `revoked-ahead/<study>/<grant>` before it arrived. */
export interface RevocationRecord {
  readonly studyId: Uint8Array;
  readonly revokedAt: number;
}

/** Where the open with an id stands: under `open-number/<open>`. */
export interface OpenNumberRecord {
  readonly studyId: Uint8Array;
  readonly number: number;
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

/** One difference between two states; null: the key is gone. */
export interface StateChange {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** An immutable snapshot of the ledger's state. */
export interface LedgerState {
  readonly root: Uint8Array;
  readonly chain: ChainId;
  institution(id: string): Institution | undefined;
  institutions(): readonly Institution[];
  validators(): readonly string[];
  study(id: StudyId): StudyRecord | undefined;
  grant(id: GrantId): GrantRecord | undefined;
  /** True if the grant stands on the ledger, is not revoked, its owner epoch is current. Time is the caller's to check. */
  grantStands(id: GrantId): boolean;
  /** Opens of a study are numbered from 1. */
  open(studyId: StudyId, number: number): OpenRecord | undefined;
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

export type { Domain };
