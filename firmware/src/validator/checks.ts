/** Signatures are checked here, before the consensus core: nothing else makes a `Verified` value. */
import { verifyCertificate, verifyVote } from '../consensus/signatures.ts';
import type { CoreState } from '../consensus/state.ts';
import { viewOf } from '../consensus/state.ts';
import type { Certificate, Proposal, Verified, Vote } from '../consensus/types.ts';
import { equalBytes } from '../encoding/bytes.ts';
import type { Block } from '../ledger/types.ts';
import type { VerifySignature } from '../ports.ts';
import { proposalHeader } from './vote-log.ts';

export interface ChecksOptions {
  readonly chain: Uint8Array;
  readonly verify: VerifySignature;
}

/** What a check found. `known` costs no signature: the core has it already, or is past it. */
export type Checked<T> =
  | { readonly kind: 'verified'; readonly value: Verified<T> }
  | { readonly kind: 'known' }
  | { readonly kind: 'forged' };

/**
 * Each check is told the keys of the core's epoch. What is of another epoch is for the caller to part with before:
 * under these keys it would count as forged.
 */
export class Checks {
  readonly #options: ChecksOptions;

  constructor(options: ChecksOptions) {
    this.#options = options;
  }

  vote(core: CoreState, votingKeys: readonly Uint8Array[], vote: Vote): Checked<Vote> {
    const known = viewOf(core, vote.view).votes[vote.kind].get(vote.validator);
    // An own vote comes from nobody else: what the box has voted it knows from its log.
    if (vote.view <= core.final.view || vote.validator === core.options.self) return { kind: 'known' };
    if (known !== undefined && equalBytes(known.digest, vote.digest)) return { kind: 'known' };
    const { chain, verify } = this.#options;
    const isGood = vote.epoch === core.options.epoch && verifyVote(chain, votingKeys, vote, verify);
    return isGood ? verified(vote) : { kind: 'forged' };
  }

  certificate(
    core: CoreState,
    votingKeys: readonly Uint8Array[],
    certificate: Certificate,
  ): Checked<Certificate> {
    const { notarization, nullification } = viewOf(core, certificate.view);
    if (certificate.view <= core.final.view || certificate.epoch !== core.options.epoch)
      return { kind: 'known' };
    if (certificate.kind === 'notarize' && notarization !== undefined) return { kind: 'known' };
    if (certificate.kind === 'nullify' && nullification !== undefined) return { kind: 'known' };
    const { chain, verify } = this.#options;
    return verifyCertificate(chain, votingKeys, certificate, verify)
      ? verified(certificate)
      : { kind: 'forged' };
  }

  /**
   * The block and the vote of the view's leader: the vote's digest must be the block's, everything else stands under
   * it. A later view than the block's own: it is proposed again, which only a block that closes its epoch may be.
   */
  proposal(core: CoreState, votingKeys: readonly Uint8Array[], block: Block, vote: Vote): Checked<Proposal> {
    const { chain, verify } = this.#options;
    const header = proposalHeader(block, vote.view);
    if (vote.view <= core.final.view) return { kind: 'known' };
    if (vote.kind !== 'notarize' || vote.view < block.header.view) return { kind: 'forged' };
    if (vote.epoch !== core.options.epoch || block.header.epoch !== vote.epoch) return { kind: 'forged' };
    if (!equalBytes(vote.digest, header.digest) || !equalBytes(block.header.chain, chain))
      return { kind: 'forged' };
    if (!verifyVote(chain, votingKeys, vote, verify)) return { kind: 'forged' };
    return verified({ header, vote });
  }
}

function verified<T>(value: T): { readonly kind: 'verified'; readonly value: Verified<T> } {
  return { kind: 'verified', value: value as Verified<T> };
}
