/** How much work is done at one go, for which everybody else at the event loop waits: counted, not timed. */
import { mock } from 'node:test';

/** The most calls of a method, made once for each piece of the work, between two turns of the event loop. */
export async function mostCallsInOneTurn<Host extends object>(
  host: Host,
  method: keyof Host,
  work: () => Promise<unknown>,
): Promise<number> {
  const counted = mock.method(host, method, {}).mock;
  let most = 0;
  let isOver = false;
  const count = (): void => {
    most = Math.max(most, counted.callCount());
    counted.resetCalls();
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  try {
    await work();
  } finally {
    isOver = true;
    count();
    counted.restore();
  }
  return most;
}
