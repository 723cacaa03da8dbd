/** Simplex (Chan and Pass, ePrint 2023/463): what is voted on, what is signed, what is kept as evidence. */

import type { VoteContent, VoteKind } from '../encoding/vote-message.ts';

export type { VoteContent, VoteKind };

export interface Vote extends VoteContent {
  /** Index in the epoch's validator list. */
  readonly validator: number;
  /** Ed25519 over `voteMessage(chain, vote)`, 64 bytes. */
  readonly signature: Uint8Array;
}

/** A quorum (n−f) of votes of one kind for one view and digest. */
export interface Certificate extends VoteContent {
  /** In ascending order of validator. */
  readonly signatures: readonly { readonly validator: number; readonly signature: Uint8Array }[];
}

/**
 * What the core knows of a proposed block: its place, not its content. All of it stands under the digest and the
 * leader's vote, so that nobody who passes a proposal on can change it.
 */
export interface ProposalHeader {
  readonly epoch: number;
  readonly view: number;
  readonly digest: Uint8Array;
  /** Of a block that is proposed again (`repeatsParent`): the view for which it was made. */
  readonly parentView: number;
  /** Of a block that is proposed again: its own digest. */
  readonly parentDigest: Uint8Array;
}

/** A proposal is a header that its view's leader has voted to notarize. */
export interface Proposal {
  readonly header: ProposalHeader;
  readonly vote: Vote;
}

declare const verifiedBrand: unique symbol;
/** A vote, certificate or proposal whose signatures were checked: nothing else enters the core. */
export type Verified<T> = T & { readonly [verifiedBrand]: true };

/** Two messages that no honest validator signs both: whoever holds them can name the guilty. */
export interface Evidence {
  readonly kind: 'conflicting-notarize' | 'conflicting-finalize' | 'nullify-and-finalize';
  readonly validator: number;
  readonly epoch: number;
  readonly view: number;
  readonly first: Vote;
  readonly second: Vote;
}

/** f = ⌊(n−1)/3⌋. */
export function faultsTolerated(validators: number): number {
  return Math.floor((validators - 1) / 3);
}

/** n−f, the only quorum there is. */
export function quorum(validators: number): number {
  return validators - faultsTolerated(validators);
}

/** Index of the view's leader: each validator in turn. */
export function leaderOf(epoch: number, view: number, validators: number): number {
  return (epoch + view) % validators;
}
