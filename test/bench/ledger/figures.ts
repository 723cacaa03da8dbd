/** What became of a load: which part of it is final, and how long that took. */
import type { Load } from './workload.ts';

/** When each transaction was final on so many boxes that a quorum has it, on the load's time. */
export type FinalTimes = ReadonlyMap<string, number>;

export interface Window {
  /** What was due from then on, and before `toMs`, is measured. Milliseconds. */
  readonly fromMs: number;
  readonly toMs: number;
}

export interface LoadFigures {
  readonly studiesPerSecond: number;
  readonly signedPerSecond: number;
  /** From when it was due until a quorum had it final, of what owners and grantees signed. Milliseconds. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
  /** The same of registrations in bulk. */
  readonly bulkP95Ms: number;
  /** Transactions of the window. */
  readonly count: number;
  /** Of those, how many did not become final. */
  readonly lost: number;
}

/** The value that this part of the values does not exceed; NaN of none. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}

/**
 * Rates count what became final while the window lasted, whenever it was due: a backlog that grows shows as less than
 * what was asked for.
 */
export function loadFigures(
  load: readonly Load[],
  finals: FinalTimes,
  { fromMs, toMs }: Window,
): LoadFigures {
  const seconds = (toMs - fromMs) / 1000;
  const inWindow = (at: number | undefined): boolean => at !== undefined && at >= fromMs && at < toMs;
  const done = load.filter(({ id }) => inWindow(finals.get(id)));
  const due = load.filter(({ dueMs }) => inWindow(dueMs));
  const took = (isOf: (one: Load) => boolean): number[] =>
    due.filter(isOf).flatMap(({ id, dueMs }) => {
      const at = finals.get(id);
      return at === undefined ? [] : [at - dueMs];
    });
  const signed = took(({ kind }) => kind !== 'bulk');
  return {
    studiesPerSecond: done.reduce((sum, { studies }) => sum + studies, 0) / seconds,
    signedPerSecond: done.filter(({ kind }) => kind !== 'bulk').length / seconds,
    p50Ms: percentile(signed, 0.5),
    p95Ms: percentile(signed, 0.95),
    maxMs: percentile(signed, 1),
    bulkP95Ms: percentile(
      took(({ kind }) => kind === 'bulk'),
      0.95,
    ),
    count: due.length,
    lost: due.filter(({ id }) => !finals.has(id)).length,
  };
}

/** The time at which so many of these had happened; undefined if fewer did. */
export function whenSoMany(times: readonly number[], count: number): number | undefined {
  return times.toSorted((a, b) => a - b)[count - 1];
}
