/** How far a box that is behind has come, for the console: k of n, how quickly, how long it may still take. */
import type { BlockProgress } from './catch-up.ts';
import type { SnapshotProgress } from './snapshot-taker.ts';

export interface CatchingUp {
  /** Blocks, or chunks of a snapshot. */
  readonly by: 'blocks' | 'snapshot';
  readonly done: number;
  readonly of: number;
  /** Since it began or went on; 0 if nothing has come yet. */
  readonly perSecond: number;
  /** Undefined while nothing has come. */
  readonly secondsLeft: number | undefined;
}

/** `now`: UTC milliseconds. A snapshot is fetched before the blocks after it. */
export function catchingUp(
  now: number,
  blocks: BlockProgress | undefined,
  snapshot: SnapshotProgress | undefined,
): CatchingUp | undefined {
  if (snapshot !== undefined) {
    const { from, records, of, since } = snapshot;
    return { by: 'snapshot', done: records, of, ...paceOf(records - from, of - records, now - since) };
  }
  if (blocks === undefined) return undefined;
  const { from, height, target, since } = blocks;
  return { by: 'blocks', done: height, of: target, ...paceOf(height - from, target - height, now - since) };
}

function paceOf(come: number, left: number, ms: number): Pick<CatchingUp, 'perSecond' | 'secondsLeft'> {
  if (come <= 0 || ms <= 0) return { perSecond: 0, secondsLeft: undefined };
  return { perSecond: (come * 1000) / ms, secondsLeft: Math.ceil((left * ms) / (come * 1000)) };
}
