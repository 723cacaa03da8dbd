/** Simplex (Chan and Pass, ePrint 2023/463): what is voted on, what is signed, what is kept as evidence. */

export type VoteKind = 'notarize' | 'nullify' | 'finalize';

export interface Vote {
  readonly kind: VoteKind;
  readonly epoch: number;
  readonly view: number;
  /** Digest of the block; 32 zero bytes for nullify. */
  readonly digest: Uint8Array;
  /** Index in the epoch's validator list. */
  readonly validator: number;
  /** Ed25519 over `voteMessage(chain, vote)`, 64 bytes. */
  readonly signature: Uint8Array;
}

/** A quorum (n−f) of votes of one kind for one view and digest. */
export interface Certificate {
  readonly kind: VoteKind;
  readonly epoch: number;
  readonly view: number;
  readonly digest: Uint8Array;
  /** In ascending order of validator. */
  readonly signatures: readonly { readonly validator: number; readonly signature: Uint8Array }[];
}

declare const verifiedBrand: unique symbol;
/** A vote, certificate or proposal whose signatures were checked: nothing else enters the core. */
export type Verified<T> = T & { readonly [verifiedBrand]: true };

/** f = ⌊(n−1)/3⌋. */
export function faultsTolerated(validators: number): number {
  return Math.floor((validators - 1) / 3);
}

/** n−f, the only quorum there is. */
export function quorum(validators: number): number {
  return validators - faultsTolerated(validators);
}
