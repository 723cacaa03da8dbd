import type { Clock } from '../ports.ts';

/** A signal that fires after a time, or with one of its parents; freed by `cancel`. */
export interface Deadline {
  readonly signal: AbortSignal;
  cancel(): void;
}

/** @param late the reason when the time runs out. */
export function startDeadline(
  clock: Clock,
  ms: number,
  late: () => Error,
  ...parents: readonly (AbortSignal | undefined)[]
): Deadline {
  const controller = new AbortController();
  const timer = clock.setTimer(ms, () => {
    controller.abort(late());
  });
  const stops = parents.flatMap((parent) => {
    if (parent === undefined) return [];
    const follow = (): void => {
      controller.abort(parent.reason);
    };
    if (parent.aborted) follow();
    else parent.addEventListener('abort', follow, { once: true });
    return [() => parent.removeEventListener('abort', follow)];
  });
  return {
    signal: controller.signal,
    cancel: () => {
      timer.cancel();
      for (const stop of stops) stop();
    },
  };
}
