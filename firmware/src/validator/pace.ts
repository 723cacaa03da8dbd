/** When a view has work, when its leader proposes, and when the others give it up. A function of times alone. */
import type { CoreState } from '../consensus/state.ts';
import {
  absentLeaderTimeoutMs,
  finalityPatienceMs,
  heartbeatMs,
  viewTimeoutDoublingsMax,
  viewTimeoutMs,
} from './limits.ts';

/** Times are UTC milliseconds of the own clock. */
export interface ViewFacts {
  readonly now: number;
  /** When the view began. */
  readonly startedAt: number;
  /** Since when it has had work, as `pace` said last. */
  readonly workSince: number | undefined;
  /** Transactions wait, or another box has given the view up, which it does for a reason. */
  readonly hasWork: boolean;
  /** Time of the block on which the view builds, and whether that is final. */
  readonly parentTime: number;
  readonly parentIsFinal: boolean;
  readonly leaderIsConnected: boolean;
  /** As `failedViews` says. */
  readonly failedViews: number;
  readonly validators: number;
}

export interface Pace {
  /** The leader proposes from then on; undefined: there is nothing to say yet. */
  readonly workSince: number | undefined;
  /** When the others give the view up. */
  readonly giveUpAt: number | undefined;
  /** When to look again if nothing happens. */
  readonly wakeAt: number;
}

export function pace(facts: ViewFacts): Pace {
  const { now, startedAt, hasWork, parentTime, parentIsFinal } = facts;
  const heartbeatAt = parentTime + heartbeatMs;
  // The next block makes its ancestors final too.
  const impatientAt = parentIsFinal ? Infinity : startedAt + finalityPatienceMs;
  const dueAt = Math.max(startedAt, Math.min(heartbeatAt, impatientAt, hasWork ? now : Infinity));
  if (dueAt > now) return { workSince: undefined, giveUpAt: undefined, wakeAt: dueAt };
  const workSince = facts.workSince ?? dueAt;
  const giveUpAt = workSince + timeoutMs(facts);
  return { workSince, giveUpAt, wakeAt: giveUpAt };
}

/** Views since the parent's that brought no block. Those that a restart has taken out have not failed. */
export function failedViews(
  { view, restart }: Pick<CoreState, 'view' | 'restart'>,
  parentView: number,
): number {
  return Math.max(0, view - Math.max(parentView, restart?.floor ?? 0) - 1);
}

/** Doubles after each round in which every leader failed: the network may be slower than the time-out assumes. */
function timeoutMs({ leaderIsConnected, failedViews, validators }: ViewFacts): number {
  const rounds = Math.min(viewTimeoutDoublingsMax, Math.floor(failedViews / validators));
  return (leaderIsConnected ? viewTimeoutMs : absentLeaderTimeoutMs) * 2 ** rounds;
}
