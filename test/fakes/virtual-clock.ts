import type { Clock, Timer } from '../../firmware/src/ports.ts';
import { EventQueue } from '../sim/event-queue.ts';

/** Time that passes only when a test says so. All boxes of a test share the events; each may see another time. */
export class VirtualTime {
  readonly events = new EventQueue();
  readonly #start: number;

  /** `start`: UTC milliseconds. */
  constructor(start: number) {
    this.#start = start;
  }

  get now(): number {
    return this.#start + this.events.now;
  }

  /** A clock that is off by so much, whose timers end with the signal: those of a box that has crashed. */
  clock(skewMs = 0, signal?: AbortSignal): Clock {
    const setTimer = (ms: number, run: () => void): Timer => {
      let cancelled = false;
      this.events.after(Math.max(0, ms), () => {
        if (!cancelled && signal?.aborted !== true) run();
      });
      return { cancel: () => (cancelled = true) };
    };
    return {
      now: () => this.now + skewMs,
      setTimer,
      sleep: (ms, abort) =>
        new Promise((resolve, reject) => {
          const timer = setTimer(ms, resolve);
          abort?.addEventListener('abort', () => {
            timer.cancel();
            reject(abort.reason as Error);
          });
        }),
    };
  }

  /** Lets this much time pass, or less if `until` comes true. Everything that can happen at a time happens there. */
  async pass(ms: number, until?: () => boolean): Promise<void> {
    const end = this.events.now + ms;
    await settled();
    for (;;) {
      if (until?.() === true) return;
      const event = this.events.takeUntil(end);
      if (event === undefined) return;
      event();
      await settled();
    }
  }
}

/** After all promises that need no real time: those of parts in memory. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
