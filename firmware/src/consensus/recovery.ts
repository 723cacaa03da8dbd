/** The core's state after a start: from the last final block and what the vote log holds of the views since. */
import { viewsAheadMax } from './limits.ts';
import type {
  CoreOptions,
  CoreState,
  FinalPoint,
  PersistRecord,
  Restart,
  Stepped,
  Transition,
} from './state.ts';
import { changeView, emptyView, isTakenOut, viewOf } from './state.ts';
import { becomeFinal, certifyIfQuorum, continueView, recordVote, step } from './simplex.ts';
import type { Certificate, Vote } from './types.ts';
import { leaderOf } from './types.ts';

export interface RecoveryPoint {
  /** The newest block of the block log. */
  readonly final: FinalPoint;
  /** From the vote log: the box may have voted up to this view and dropped the records. */
  readonly floor: number;
  /** Records of the vote log in the order in which they were written. */
  readonly records: readonly PersistRecord[];
  /** An order of this epoch to go on after its floor. */
  readonly restart?: Restart | undefined;
}

/**
 * Takes up where the box stopped. Own votes of the records bind it as if it had never stopped; nothing is written
 * again. The effects begin the current view and send again what may not have left.
 */
export function recover(options: CoreOptions, point: RecoveryPoint): Stepped {
  const state: CoreState = {
    options,
    view: point.final.view + 1,
    final: point.final,
    floor: Math.max(point.floor, point.restart?.floor ?? 0),
    restart: point.restart,
    views: new Map(),
  };
  const transition: Transition = { state, effects: [] };
  for (const record of point.records) {
    if (record.kind === 'vote') restoreVote(transition, record);
    else restoreCertificate(transition, record.certificate);
  }
  transition.state = { ...transition.state, view: viewReached(transition.state) };
  const { view, views } = transition.state;
  for (const { notarization } of views.values()) {
    if (notarization !== undefined) transition.effects.push({ kind: 'notarized', certificate: notarization });
  }
  const leader = leaderOf(options.epoch, view, options.validators);
  transition.effects.push({ kind: 'startView', view, leader });
  // A sole validator is its own quorum, and may have stopped between its vote and the certificate.
  for (const vote of ownVotes(transition.state)) certifyIfQuorum(transition, vote);
  continueView(transition);
  const again = step(transition.state, { kind: 'retransmit' });
  return { state: again.state, effects: [...transition.effects, ...again.effects] };
}

function restoreVote(
  transition: Transition,
  { vote, header }: PersistRecord & { readonly kind: 'vote' },
): void {
  const { options, final } = transition.state;
  if (vote.epoch !== options.epoch || vote.view <= final.view || vote.validator !== options.self) return;
  recordVote(transition, vote);
  const view = viewOf(transition.state, vote.view);
  changeView(transition, vote.view, { own: { ...view.own, [vote.kind]: vote } });
  // The vote shows that the proposal was judged valid.
  if (header !== undefined) changeView(transition, vote.view, { proposal: header, verdict: 'accepted' });
}

function restoreCertificate(transition: Transition, certificate: Certificate): void {
  const { options, final } = transition.state;
  if (certificate.epoch !== options.epoch || certificate.view <= final.view) return;
  if (isTakenOut(transition.state, certificate.view)) return;
  if (certificate.kind === 'finalize') {
    becomeFinal(transition, certificate);
    return;
  }
  const { kind, epoch, view, digest } = certificate;
  for (const { validator, signature } of certificate.signatures) {
    recordVote(transition, { kind, epoch, view, digest, validator, signature });
  }
  changeView(
    transition,
    view,
    kind === 'notarize' ? { notarization: certificate } : { nullification: certificate },
  );
}

/**
 * After the highest certified view, and not before a view in which the box has voted. A vote that lies further ahead than
 * votes are taken was cast by a restart order from which the box has parted since: all views between would be open.
 */
function viewReached({ final, restart, views }: CoreState): number {
  let certified = Math.max(final.view, restart?.floor ?? 0);
  for (const [number, { notarization, nullification }] of views)
    if (notarization !== undefined || nullification !== undefined) certified = Math.max(certified, number);
  let reached = certified + 1;
  for (const [number, { own }] of views)
    if (Object.keys(own).length > 0 && number <= certified + viewsAheadMax)
      reached = Math.max(reached, number);
  return reached;
}

function ownVotes(state: CoreState): Vote[] {
  const votes: Vote[] = [];
  for (const number of [...state.views.keys()].sort((a, b) => a - b)) {
    const { own } = state.views.get(number) ?? emptyView;
    votes.push(...Object.values(own));
  }
  return votes;
}

/** What a fresh vote log must hold so that `recover` arrives at this state again. Oldest view first. */
export function recordsToKeep(state: CoreState): PersistRecord[] {
  const records: PersistRecord[] = [];
  for (const number of [...state.views.keys()].sort((a, b) => a - b)) {
    const { own, proposal, notarization, nullification } = state.views.get(number) ?? emptyView;
    for (const vote of Object.values(own)) {
      records.push({ kind: 'vote', vote, header: vote.kind === 'notarize' ? proposal : undefined });
    }
    for (const certificate of [notarization, nullification]) {
      if (certificate !== undefined) records.push({ kind: 'certificate', certificate });
    }
  }
  return records;
}
