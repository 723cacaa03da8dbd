/** Messages of other boxes: decoded strictly, checked, and handed to the core, the mempool or the catch-up. */
import { certificatesFor, standingOf } from '../consensus/help.ts';
import { viewsAheadMax } from '../consensus/limits.ts';
import type { CoreState, Input } from '../consensus/state.ts';
import { viewOf } from '../consensus/state.ts';
import type { Certificate } from '../consensus/types.ts';
import { leaderOf } from '../consensus/types.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { decodeBlock } from '../ledger/index.ts';
import type { Clock, InstitutionId, Logger } from '../ports.ts';
import type { BlockTree } from './block-tree.ts';
import type { CatchUp } from './catch-up.ts';
import type { Checks } from './checks.ts';
import { helpMsMin } from './limits.ts';
import type { Message } from './messages.ts';
import { decodeMessage } from './messages.ts';

export interface ReceiverOptions {
  /** In the order of the validator list. */
  readonly validators: readonly InstitutionId[];
  readonly checks: Checks;
  readonly tree: BlockTree;
  readonly catchUp: CatchUp;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly core: () => CoreState;
  readonly headHeight: () => number;
  readonly input: (...inputs: readonly Input[]) => void;
  readonly gotTransaction: (from: InstitutionId, transaction: Uint8Array) => void;
  readonly send: (to: InstitutionId, message: Message) => void;
}

type MessageOf<Type extends Message['type']> = Extract<Message, { readonly type: Type }>;

export class Receiver {
  readonly #options: ReceiverOptions;
  /** When each peer was helped last, UTC milliseconds. */
  readonly #helped = new Map<InstitutionId, number>();

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  receive(from: InstitutionId, bytes: Uint8Array): void {
    const decoded = decodeMessage(bytes);
    if (decoded.kind === 'refused') {
      this.#refuse(from, decoded.reason);
      return;
    }
    const { message } = decoded;
    switch (message.type) {
      case 'proposal':
        this.#proposal(from, message);
        break;
      case 'vote': {
        const checked = this.#options.checks.vote(this.#options.core(), message.vote);
        if (checked.kind === 'verified') this.#options.input({ kind: 'vote', vote: checked.value });
        if (checked.kind === 'forged') this.#refuse(from, 'a vote with a wrong signature');
        break;
      }
      case 'certificate':
        this.#options.input(...this.#certificates(from, [message.certificate]));
        break;
      case 'transaction':
        this.#options.gotTransaction(from, message.transaction);
        break;
      case 'standing':
        this.#standing(from, message);
        break;
    }
  }

  #proposal(from: InstitutionId, { block: encoded, vote, justification }: MessageOf<'proposal'>): void {
    const { checks, tree, validators, input } = this.#options;
    const core = this.#options.core();
    const decoded = decodeBlock(encoded);
    if (decoded.kind === 'refused') {
      this.#refuse(from, `a block that does not decode (${decoded.reason})`);
      return;
    }
    const { header } = decoded.block;
    const leader = leaderOf(core.options.epoch, header.view, validators.length);
    if (header.view > core.view + viewsAheadMax) return;
    if (vote.validator !== leader || header.proposer !== validators[leader]) {
      this.#refuse(from, 'a proposal of another than the leader');
      return;
    }
    const checked = checks.proposal(core, decoded.block, vote);
    if (checked.kind === 'forged') this.#refuse(from, 'a proposal with a wrong signature');
    if (checked.kind !== 'verified') return;
    const { proposal, notarization } = viewOf(core, header.view);
    const { digest } = checked.value.header;
    // Of a leader that proposes twice the first block is kept, and the one that a quorum has voted for.
    if (
      [proposal ?? checked.value.header, notarization].some((kept) => kept && equalBytes(kept.digest, digest))
    ) {
      tree.add(decoded.block);
    }
    input(...this.#certificates(from, justification), { kind: 'proposal', proposal: checked.value });
  }

  #certificates(from: InstitutionId, certificates: readonly Certificate[]): Input[] {
    const inputs: Input[] = [];
    for (const certificate of certificates) {
      const checked = this.#options.checks.certificate(this.#options.core(), certificate);
      if (checked.kind === 'verified') inputs.push({ kind: 'certificate', certificate: checked.value });
      if (checked.kind === 'forged') this.#refuse(from, 'a certificate that does not verify');
    }
    return inputs;
  }

  /** Helps a peer that is behind, or asks it for help if it is ahead. */
  #standing(from: InstitutionId, { standing, height }: MessageOf<'standing'>): void {
    const { catchUp, clock, send } = this.#options;
    catchUp.peerIsAt(from, height);
    const now = clock.now();
    if (now - (this.#helped.get(from) ?? -Infinity) < helpMsMin) return;
    this.#helped.set(from, now);
    const core = this.#options.core();
    const own = standingOf(core);
    for (const certificate of certificatesFor(core, standing))
      send(from, { type: 'certificate', certificate });
    if (
      standing.finalView > own.finalView ||
      standing.from > core.view ||
      height < this.#options.headHeight()
    ) {
      send(from, { type: 'standing', standing: own, height: this.#options.headHeight() });
    }
  }

  #refuse(from: InstitutionId, reason: string): void {
    this.#options.logger.warn({ peer: from, code: 'PEER_MISBEHAVED', reason }, 'a message was dropped');
  }
}
