/** What the core remembers: the views from the last final one on, and nothing of the blocks but their digests. */
import type {
  Certificate,
  Evidence,
  Proposal,
  ProposalHeader,
  Verified,
  Vote,
  VoteContent,
  VoteKind,
} from './types.ts';

export interface CoreOptions {
  readonly epoch: number;
  /** n, the number of validators of the epoch. */
  readonly validators: number;
  /** Own index in the validator list; undefined for a box that follows without a vote. */
  readonly self: number | undefined;
  /**
   * Signs as `self`. Ed25519 is deterministic (RFC 8032), so the core stays a function of its inputs. The signature
   * leaves the core in a `persist` effect first.
   */
  readonly sign: (content: VoteContent) => Uint8Array;
}

/**
 * The newest final block. View 0 and no certificate: the genesis block, or the block that closed the epoch before,
 * whose certificate is of that epoch.
 */
export interface FinalPoint {
  readonly view: number;
  readonly digest: Uint8Array;
  readonly certificate: Certificate | undefined;
}

/**
 * What a quorum of offline roots has ordered where more than f boxes had forgotten their votes
 * (docs/adr/0038-a-quorum-of-offline-roots-orders-a-restart.md): the views up to `floor` count for nothing, but for
 * `view`. Above the floor the parent is the block that is notarized or final in `view`.
 */
export interface Restart {
  readonly view: number;
  readonly floor: number;
}

export interface ViewState {
  /** The first proposal of the view's leader. */
  readonly proposal: ProposalHeader | undefined;
  /** How far the proposal is: `refused` proposals get no vote. */
  readonly verdict: 'open' | 'asked' | 'accepted' | 'refused';
  /** View of the parent on which the driver was asked to build an own proposal. */
  readonly askedOn: number | undefined;
  /** First vote of each validator, by kind. */
  readonly votes: Readonly<Record<VoteKind, ReadonlyMap<number, Vote>>>;
  /** Own votes, kept when the others are dropped. */
  readonly own: Readonly<Partial<Record<VoteKind, Vote>>>;
  readonly notarization: Certificate | undefined;
  readonly nullification: Certificate | undefined;
  /** Validators already named for this view. */
  readonly accused: ReadonlySet<number>;
}

export interface CoreState {
  readonly options: CoreOptions;
  /** The view that the box is in: one more than the highest certified one. */
  readonly view: number;
  readonly final: FinalPoint;
  /** No vote is cast in this view of the epoch or an earlier one: the box may have voted there and forgotten it. */
  readonly floor: number;
  /** Undefined, and of no account any more once a view above its floor is final. */
  readonly restart: Restart | undefined;
  /** Views after the final one. */
  readonly views: ReadonlyMap<number, ViewState>;
}

export type Input =
  /** A proposal whose vote is the leader's (paper: step 3). */
  | { readonly kind: 'proposal'; readonly proposal: Verified<Proposal> }
  /** The driver's answer to `askToValidate`. */
  | { readonly kind: 'verdict'; readonly view: number; readonly digest: Uint8Array; readonly valid: boolean }
  /** The driver's answer to `askToPropose`. */
  | { readonly kind: 'built'; readonly header: ProposalHeader }
  | { readonly kind: 'vote'; readonly vote: Verified<Vote> }
  | { readonly kind: 'certificate'; readonly certificate: Verified<Certificate> }
  /** The view's timer fired (paper: step 2). */
  | { readonly kind: 'timeout'; readonly view: number }
  /** The view is stuck: say again what others may have missed. */
  | { readonly kind: 'retransmit' };

/** What must be on disk before anything that follows it may happen. */
export type PersistRecord =
  /** `header` accompanies a notarize vote: the block must survive with the vote, or a final block could be lost. */
  | { readonly kind: 'vote'; readonly vote: Vote; readonly header: ProposalHeader | undefined }
  | { readonly kind: 'certificate'; readonly certificate: Certificate };

/** Executed strictly in this order; `persist` is finished (fsync) before any later effect begins. */
export type Effect =
  | { readonly kind: 'persist'; readonly record: PersistRecord }
  | { readonly kind: 'broadcastVote'; readonly vote: Vote }
  | {
      readonly kind: 'broadcastProposal';
      readonly proposal: Proposal;
      /** Shows that the parent is notarized and every view since is nullified. */
      readonly justification: readonly Certificate[];
    }
  | { readonly kind: 'broadcastCertificate'; readonly certificate: Certificate }
  | {
      readonly kind: 'askToPropose';
      readonly view: number;
      readonly parentView: number;
      readonly parentDigest: Uint8Array;
    }
  | { readonly kind: 'askToValidate'; readonly header: ProposalHeader }
  /** A view begins: the driver sets its timer. */
  | { readonly kind: 'startView'; readonly view: number; readonly leader: number }
  /** A block is notarized: the driver makes sure that it has it. */
  | { readonly kind: 'notarized'; readonly certificate: Certificate }
  /** A block and all its ancestors are final. */
  | { readonly kind: 'finalized'; readonly certificate: Certificate }
  | { readonly kind: 'evidence'; readonly evidence: Evidence };

export interface Stepped {
  readonly state: CoreState;
  readonly effects: readonly Effect[];
}

export const emptyView: ViewState = {
  proposal: undefined,
  verdict: 'open',
  askedOn: undefined,
  votes: { notarize: new Map(), nullify: new Map(), finalize: new Map() },
  own: {},
  notarization: undefined,
  nullification: undefined,
  accused: new Set(),
};

/** One step under way: the state it has reached and the effects so far. The state that it began with stays as it is. */
export interface Transition {
  state: CoreState;
  readonly effects: Effect[];
}

/**
 * True of a view that a restart has taken out. Who was away may bring a certificate of it at any time, and some may have
 * voted above the floor by then: all boxes that follow the order leave it, so that they agree.
 */
export function isTakenOut({ restart }: Pick<CoreState, 'restart'>, view: number): boolean {
  return restart !== undefined && view <= restart.floor && view !== restart.view;
}

export function viewOf(state: CoreState, view: number): ViewState {
  return state.views.get(view) ?? emptyView;
}

export function changeView(transition: Transition, view: number, change: Partial<ViewState>): void {
  const views = new Map(transition.state.views);
  views.set(view, { ...viewOf(transition.state, view), ...change });
  transition.state = { ...transition.state, views };
}
