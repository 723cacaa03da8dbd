/** Signatures are checked here, before the consensus core: nothing else makes a `Verified` value. */
import { verifyCertificate, verifyVote } from '../consensus/signatures.ts';
import type { CoreState } from '../consensus/state.ts';
import { viewOf } from '../consensus/state.ts';
import type { Certificate, Proposal, Verified, Vote } from '../consensus/types.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { blockDigest } from '../ledger/index.ts';
import type { Block } from '../ledger/types.ts';
import type { VerifySignature } from '../ports.ts';

export interface ChecksOptions {
  readonly chain: Uint8Array;
  /** In the order of the validator list. */
  readonly votingKeys: readonly Uint8Array[];
  readonly verify: VerifySignature;
}

/** What a check found. `known` costs no signature: the core has it already. */
export type Checked<T> =
  | { readonly kind: 'verified'; readonly value: Verified<T> }
  | { readonly kind: 'known' }
  | { readonly kind: 'forged' };

export class Checks {
  readonly #options: ChecksOptions;

  constructor(options: ChecksOptions) {
    this.#options = options;
  }

  vote(core: CoreState, vote: Vote): Checked<Vote> {
    const known = viewOf(core, vote.view).votes[vote.kind].get(vote.validator);
    // An own vote comes from nobody else: what the box has voted it knows from its log.
    if (vote.view <= core.final.view || vote.validator === core.options.self) return { kind: 'known' };
    if (known !== undefined && equalBytes(known.digest, vote.digest)) return { kind: 'known' };
    const { chain, votingKeys, verify } = this.#options;
    return verifyVote(chain, votingKeys, vote, verify) ? verified(vote) : { kind: 'forged' };
  }

  certificate(core: CoreState, certificate: Certificate): Checked<Certificate> {
    const { notarization, nullification } = viewOf(core, certificate.view);
    if (certificate.view <= core.final.view || certificate.epoch !== core.options.epoch)
      return { kind: 'known' };
    if (certificate.kind === 'notarize' && notarization !== undefined) return { kind: 'known' };
    if (certificate.kind === 'nullify' && nullification !== undefined) return { kind: 'known' };
    const { chain, votingKeys, verify } = this.#options;
    return verifyCertificate(chain, votingKeys, certificate, verify)
      ? verified(certificate)
      : { kind: 'forged' };
  }

  /** The block and its leader's vote: the vote's digest must be the block's, everything else stands under it. */
  proposal(core: CoreState, block: Block, vote: Vote): Checked<Proposal> {
    const { epoch, view, parentView, parent } = block.header;
    if (view <= core.final.view) return { kind: 'known' };
    const digest = blockDigest(block.header);
    if (vote.kind !== 'notarize' || vote.view !== view || vote.epoch !== epoch) return { kind: 'forged' };
    if (!equalBytes(vote.digest, digest) || !equalBytes(block.header.chain, this.#options.chain)) {
      return { kind: 'forged' };
    }
    const { chain, votingKeys, verify } = this.#options;
    if (!verifyVote(chain, votingKeys, vote, verify)) return { kind: 'forged' };
    return verified({ header: { epoch, view, digest, parentView, parentDigest: parent }, vote });
  }
}

function verified<T>(value: T): { readonly kind: 'verified'; readonly value: Verified<T> } {
  return { kind: 'verified', value: value as Verified<T> };
}
