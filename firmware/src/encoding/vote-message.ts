/** The signed bytes of a vote: boxes cast votes by them, and the ledger judges evidence of two that conflict. */
import { concatBytes, u64, u8 } from './bytes.ts';
import { domainPrefix } from './hash.ts';

export type VoteKind = 'notarize' | 'nullify' | 'finalize';

/** What a vote says. */
export interface VoteContent {
  readonly kind: VoteKind;
  readonly epoch: number;
  /** From 1 on; view 0 is the block that closed the epoch before, or the genesis block. */
  readonly view: number;
  /** Digest of the block; 32 zero bytes for nullify. */
  readonly digest: Uint8Array;
}

/** As it stands in the signed bytes, in votes and in certificates. */
export const voteKindNumbers = {
  notarize: 1,
  nullify: 2,
  finalize: 3,
} as const satisfies Record<VoteKind, number>;

/** domainPrefix('vote') ‖ chain (32) ‖ u8 kind ‖ u64 epoch ‖ u64 view ‖ digest (32). */
export function voteMessage(chain: Uint8Array, content: VoteContent): Uint8Array {
  return concatBytes(
    domainPrefix('vote'),
    chain,
    u8(voteKindNumbers[content.kind]),
    u64(content.epoch),
    u64(content.view),
    content.digest,
  );
}
