/** A consensus core of four by itself, and short ways to say what it is told. */
import { recover } from '../../firmware/src/consensus/recovery.ts';
import { noDigest } from '../../firmware/src/consensus/signatures.ts';
import { step } from '../../firmware/src/consensus/simplex.ts';
import type { CoreState, Effect, Input, PersistRecord } from '../../firmware/src/consensus/state.ts';
import type {
  Certificate,
  Proposal,
  ProposalHeader,
  Verified,
  Vote,
  VoteKind,
} from '../../firmware/src/consensus/types.ts';
import { leaderOf } from '../../firmware/src/consensus/types.ts';

export const genesis: Uint8Array = new Uint8Array(32).fill(0xee);

export function digestOf(name: number): Uint8Array {
  return new Uint8Array(32).fill(name);
}

export function vote(
  kind: VoteKind,
  view: number,
  validator: number,
  digest: Uint8Array = noDigest,
  epoch = 0,
): Vote {
  return { kind, epoch, view, digest, validator, signature: new Uint8Array(64).fill(validator) };
}

export function certificate(
  kind: VoteKind,
  view: number,
  digest: Uint8Array = noDigest,
  validators = [0, 1, 2],
): Certificate {
  const signatures = validators.map((validator) => ({
    validator,
    signature: new Uint8Array(64).fill(validator),
  }));
  return { kind, epoch: 0, view, digest, signatures };
}

export function header(
  view: number,
  digest: Uint8Array,
  parentView = 0,
  parentDigest: Uint8Array = genesis,
): ProposalHeader {
  return { epoch: 0, view, digest, parentView, parentDigest };
}

const verified = <T>(value: T): Verified<T> => value as Verified<T>;
export const voteInput = (value: Vote): Input => ({ kind: 'vote', vote: verified(value) });
export const certificateInput = (value: Certificate): Input => ({
  kind: 'certificate',
  certificate: verified(value),
});

export function proposalInput(value: ProposalHeader, leader = leaderOf(0, value.view, 4)): Input {
  const proposal: Proposal = { header: value, vote: vote('notarize', value.view, leader, value.digest) };
  return { kind: 'proposal', proposal: verified(proposal) };
}

/** One box of four; its effects since the last look. */
export class Box {
  state: CoreState;
  readonly log: PersistRecord[] = [];
  #effects: Effect[] = [];

  constructor(self: number | undefined, records: readonly PersistRecord[] = [], floor = 0) {
    const options = { epoch: 0, validators: 4, self, sign: () => new Uint8Array(64).fill(self ?? 0) };
    const final = { view: 0, digest: genesis, certificate: undefined };
    const { state, effects } = recover(options, { final, floor, records });
    this.state = state;
    this.log.push(...records);
    this.#keep(effects);
  }

  take(...inputs: readonly Input[]): this {
    for (const input of inputs) {
      const { state, effects } = step(this.state, input);
      this.state = state;
      this.#keep(effects);
    }
    return this;
  }

  #keep(effects: readonly Effect[]): void {
    this.#effects.push(...effects);
    for (const effect of effects) if (effect.kind === 'persist') this.log.push(effect.record);
  }

  effects(): Effect[] {
    return this.#effects.splice(0);
  }

  kinds(): string[] {
    return this.effects().map(({ kind }) => kind);
  }

  /** Own votes that were sent, as text. */
  votesSent(): string[] {
    return this.effects().flatMap((effect) => {
      if (effect.kind === 'broadcastVote') return [`${effect.vote.kind} ${effect.vote.view}`];
      return effect.kind === 'broadcastProposal' ? [`propose ${effect.proposal.vote.view}`] : [];
    });
  }

  /** Judges the current proposal valid. */
  accept(view: number, digest: Uint8Array): this {
    return this.take({ kind: 'verdict', view, digest, valid: true });
  }
}
