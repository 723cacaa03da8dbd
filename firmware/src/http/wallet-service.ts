/**
 * What the box does for wallets, behind /wallet/v1. main.ts implements it by joining ledger, mailbox and bindings.
 * Callers are unauthenticated: each answer reveals nothing beyond what the ledger shows every member, and has the
 * same shape and effort whether or not the account, ticket or key exists.
 */
import type { StateProof, StudyLeaf } from '../ledger/types.ts';
import type { Submitted } from '../ports.ts';

export interface WalletService {
  /** Canonical CBOR of the genesis document. */
  genesis(): Uint8Array;
  /** The head's evidence. */
  head(): WalletEvidence;
  /** From this epoch to the next, encoded; undefined if it is not complete, or not kept. */
  handover(epoch: number): Promise<Uint8Array | undefined>;
  /** Proofs of these state keys against the header of the same answer. */
  proofs(keys: readonly string[]): WalletEvidence & { readonly proofs: readonly StateProof[] };
  /**
   * Resolves when the transaction is final or refused; rejects with the signal's reason when the wallet hung up.
   * @throws AppError MEMPOOL_FULL.
   */
  submit(transaction: Uint8Array, signal: AbortSignal): Promise<Submitted>;
  /** A nonce for one mailbox reading, 16 bytes, short-lived. */
  challenge(): Promise<Uint8Array>;
  mailbox(proof: MailboxProof): Promise<MailboxAnswer>;
  bind(binding: { readonly ticket: string; readonly address: Uint8Array }): Promise<BindAnswer>;
}

export interface WalletEvidence {
  /** Canonical CBOR of the block header. */
  readonly header: Uint8Array;
  /** Canonical CBOR of its finalization certificate. */
  readonly certificate: Uint8Array;
}

export interface MailboxProof {
  /** S, Ed25519 point, 32 bytes. */
  readonly spend: Uint8Array;
  /** From `challenge()`, 16 bytes. */
  readonly nonce: Uint8Array;
  /** Over domain `mailbox`, 64 bytes. */
  readonly signature: Uint8Array;
}

export type MailboxAnswer =
  /** Of an account that is not bound here: no entries. */
  | { readonly kind: 'entries'; readonly entries: readonly MailboxEntry[] }
  /** Nonce used up or expired, or the signature is wrong. */
  | { readonly kind: 'refused' };

export interface MailboxEntry {
  /** 32 bytes. */
  readonly studyId: Uint8Array;
  /** Index in the registration's batch. */
  readonly index: number;
  /** R, X25519, 32 bytes. */
  readonly ephemeral: Uint8Array;
  readonly tag: number;
  /** Ciphertext. */
  readonly note: Uint8Array;
  /** Of a study that was registered in bulk and not used yet: its first transaction brings it. */
  readonly leaf: StudyLeaf | null;
}

export type BindAnswer =
  | { readonly kind: 'bound' }
  /** Ticket unknown, used or expired, or the address is not valid for it. One answer for all. */
  | { readonly kind: 'refused' };
