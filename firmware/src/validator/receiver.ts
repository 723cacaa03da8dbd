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
import { Deafness } from './deafness.ts';
import type { Electorate } from './electorate.ts';
import type { HandoverSignature } from './handovers.ts';
import { HeldMessages } from './held-messages.ts';
import { helpMsMin, restartResendMs, wrongRestartMs } from './limits.ts';
import type { Message } from './messages.ts';
import { decodeMessage } from './messages.ts';
import type { Place } from './place.ts';

export interface ReceiverOptions {
  readonly electorate: () => Electorate;
  readonly checks: Checks;
  readonly tree: BlockTree;
  readonly catchUp: CatchUp;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly core: () => CoreState;
  readonly headHeight: () => number;
  /** Certificate of the block that closed this epoch, if the box has it at hand. */
  readonly closingOf: (epoch: number) => Certificate | undefined;
  readonly input: (...inputs: readonly Input[]) => void;
  readonly gotTransaction: (from: InstitutionId, transaction: Uint8Array) => void;
  /** False: it is not what it claims to be. */
  readonly gotHandover: (signature: HandoverSignature) => boolean;
  /** The reason if it is none. */
  readonly gotRestart: (order: Uint8Array) => string | undefined;
  /** The encoded restart order that a box lacks which stands there. */
  readonly restartFor: (epoch: number, from: number) => Uint8Array | undefined;
  /** Where the newest final block of a peer stands, as it says. */
  readonly peerStands: (from: InstitutionId, place: Place) => void;
  readonly send: (to: InstitutionId, message: Message) => void;
}

type MessageOf<Type extends Message['type']> = Extract<Message, { readonly type: Type }>;

export class Receiver {
  readonly #options: ReceiverOptions;
  /** When each peer was helped last, UTC milliseconds. */
  readonly #helped = new Map<InstitutionId, number>();
  readonly #held = new HeldMessages();
  /** Who has sent a wrong restart order, and when, UTC milliseconds. */
  readonly #wrongAboutRestarts = new Map<InstitutionId, number>();
  /** When each peer was sent the restart order last, UTC milliseconds. */
  readonly #sentRestart = new Map<InstitutionId, number>();

  readonly #deafness: Deafness;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#deafness = new Deafness(options.clock);
  }

  stop(): void {
    this.#deafness.stop();
  }

  /** What a peer has sent; undefined, or what resolves when it is to be read further. */
  receive(from: InstitutionId, bytes: Uint8Array): Promise<void> | undefined {
    if (!this.#deafness.isDeafTo(from)) this.#take(from, bytes);
    return this.#deafness.over(from);
  }

  #take(from: InstitutionId, bytes: Uint8Array): void {
    const decoded = decodeMessage(bytes);
    if (decoded.kind === 'refused') {
      this.#refuse(from, decoded.reason);
      this.#deafness.refused(from, bytes.length);
      return;
    }
    const { message } = decoded;
    const { epoch } = this.#options.core().options;
    const spoken = epochOf(message) ?? epoch;
    if (spoken !== epoch) {
      // What is of an earlier epoch is over; its sender is told when it says where it stands.
      if (spoken === epoch + 1) this.#held.hold(from, spoken, bytes);
      if (spoken > epoch) this.#askForHelp(from);
      return;
    }
    switch (message.type) {
      case 'proposal':
        this.#proposal(from, message);
        break;
      case 'vote': {
        // The core would part with it; nobody waits for it to be looked at.
        if (message.vote.view > this.#options.core().view + viewsAheadMax) break;
        const { votingKeys } = this.#options.electorate();
        const checked = this.#options.checks.vote(this.#options.core(), votingKeys, message.vote);
        if (checked.kind === 'verified') this.#options.input({ kind: 'vote', vote: checked.value });
        if (checked.kind === 'forged') this.#forged(from, 'a vote with a wrong signature');
        break;
      }
      case 'certificate':
        this.#options.input(...this.#certificates(from, [message.certificate]));
        break;
      case 'transaction':
        this.#options.gotTransaction(from, message.transaction);
        break;
      case 'handover':
        if (!this.#options.gotHandover(message.signature))
          this.#refuse(from, 'a wrong signature of the end of an epoch');
        break;
      case 'restart':
        this.#restart(from, message);
        break;
      case 'standing':
        this.#standing(from, message);
        break;
    }
  }

  /** The box has entered an epoch: what was said in it meanwhile. */
  epochBegan(epoch: number): void {
    this.#sentRestart.clear();
    for (const { from, message } of this.#held.release(epoch)) this.#take(from, message);
  }

  #proposal(from: InstitutionId, { block: encoded, vote, justification }: MessageOf<'proposal'>): void {
    const { checks, tree, electorate, input } = this.#options;
    const { validators, votingKeys } = electorate();
    const core = this.#options.core();
    const decoded = decodeBlock(encoded);
    if (decoded.kind === 'refused') {
      this.#refuse(from, `a block that does not decode (${decoded.reason})`);
      this.#deafness.refused(from, encoded.length);
      return;
    }
    const { header } = decoded.block;
    const leaderIn = (view: number): number => leaderOf(core.options.epoch, view, validators.length);
    if (vote.view > core.view + viewsAheadMax) return;
    // Of a block that is proposed again the leader is another one than its proposer.
    if (vote.validator !== leaderIn(vote.view) || header.proposer !== validators[leaderIn(header.view)]) {
      this.#refuse(from, 'a proposal of another than the leader');
      return;
    }
    const checked = checks.proposal(core, votingKeys, decoded.block, vote);
    if (checked.kind === 'forged') this.#forged(from, 'a proposal with a wrong signature');
    if (checked.kind !== 'verified') return;
    const { proposal, notarization } = viewOf(core, vote.view);
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
      const { checks, core, electorate } = this.#options;
      const checked = checks.certificate(core(), electorate().votingKeys, certificate);
      if (checked.kind === 'verified') inputs.push({ kind: 'certificate', certificate: checked.value });
      if (checked.kind === 'forged') this.#forged(from, 'a certificate that does not verify');
    }
    return inputs;
  }

  /** Helps a peer that is behind, or asks it for help if it is ahead. */
  #standing(from: InstitutionId, { standing, height }: MessageOf<'standing'>): void {
    const { catchUp, closingOf, headHeight, peerStands, restartFor, send } = this.#options;
    catchUp.peerIsAt(from, height);
    peerStands(from, { epoch: standing.epoch, view: standing.finalView });
    if (!this.#mayHelp(from)) return;
    const core = this.#options.core();
    const own = standingOf(core);
    const closing = standing.epoch < own.epoch ? closingOf(standing.epoch) : undefined;
    const certificates = closing === undefined ? certificatesFor(core, standing) : [closing];
    for (const certificate of certificates) send(from, { type: 'certificate', certificate });
    const order = restartFor(standing.epoch, standing.from);
    if (order !== undefined && this.#maySendRestart(from)) send(from, { type: 'restart', order });
    const isAhead =
      standing.epoch === own.epoch
        ? standing.finalView > own.finalView || standing.from > core.view
        : standing.epoch > own.epoch;
    if (isAhead || height < headHeight()) this.#sendStanding(from);
  }

  /** It is large, and who stands below its floor says so each second, also where it has the order and must wait. */
  #maySendRestart(to: InstitutionId): boolean {
    const now = this.#options.clock.now();
    if (now - (this.#sentRestart.get(to) ?? -Infinity) < restartResendMs) return false;
    this.#sentRestart.set(to, now);
    return true;
  }

  /** Whoever sends a wrong one is not listened to about it for a while: each costs signatures to look at. */
  #restart(from: InstitutionId, { order }: MessageOf<'restart'>): void {
    const now = this.#options.clock.now();
    if (now - (this.#wrongAboutRestarts.get(from) ?? -Infinity) < wrongRestartMs) return;
    const reason = this.#options.gotRestart(order);
    if (reason === undefined) return;
    this.#wrongAboutRestarts.set(from, now);
    this.#refuse(from, `a restart order that is none (${reason})`);
  }

  /** A peer speaks in an epoch that this box has not reached. */
  #askForHelp(from: InstitutionId): void {
    if (this.#mayHelp(from)) this.#sendStanding(from);
  }

  #mayHelp(peer: InstitutionId): boolean {
    const now = this.#options.clock.now();
    if (now - (this.#helped.get(peer) ?? -Infinity) < helpMsMin) return false;
    this.#helped.set(peer, now);
    return true;
  }

  #sendStanding(to: InstitutionId): void {
    const { core, headHeight, send } = this.#options;
    send(to, { type: 'standing', standing: standingOf(core()), height: headHeight() });
  }

  #forged(from: InstitutionId, reason: string): void {
    this.#refuse(from, reason);
    this.#deafness.forged(from);
  }

  #refuse(from: InstitutionId, reason: string): void {
    this.#options.logger.warn({ peer: from, code: 'PEER_MISBEHAVED', reason }, 'a message was dropped');
  }
}

/** Undefined: the message belongs to no epoch. */
function epochOf(message: Message): number | undefined {
  switch (message.type) {
    case 'proposal':
    case 'vote':
      return message.vote.epoch;
    case 'certificate':
      return message.certificate.epoch;
    case 'transaction':
    case 'handover':
    case 'restart':
    case 'standing':
      return undefined;
  }
}
