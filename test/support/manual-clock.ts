/** A clock that a test moves; timers run when it passes them. */
import type { Clock, Timer } from '../../firmware/src/ports.ts';

export class ManualClock implements Clock {
  #now: number;
  readonly #timers = new Map<object, { readonly at: number; readonly run: () => void }>();

  constructor(now = Date.UTC(2026, 0, 5, 8)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(([, { at }]) => at <= until).sort((a, b) => a[1].at - b[1].at);
      if (next === undefined) break;
      this.#timers.delete(next[0]);
      this.#now = Math.max(this.#now, next[1].at);
      next[1].run();
    }
    this.#now = until;
  }

  /** The time of day is corrected; what is timed goes on, as on a machine. */
  setBack(ms: number): void {
    this.#now -= ms;
    for (const [id, timer] of this.#timers) this.#timers.set(id, { ...timer, at: timer.at - ms });
  }

  setTimer(ms: number, run: () => void): Timer {
    const id = {};
    this.#timers.set(id, { at: this.#now + ms, run });
    return { cancel: () => void this.#timers.delete(id) };
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.setTimer(ms, resolve);
      signal?.addEventListener('abort', () => {
        timer.cancel();
        reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      });
    });
  }
}

/** The machine's own clock, for tests against real sockets. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer: (ms, run) => {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
  sleep: async (ms, signal) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      });
    }),
};

/** Whose timers run at the next turn of the event loop: what waits for peace takes every pause for it. */
export const hastyClock: Clock = {
  ...systemClock,
  setTimer: (_, run) => {
    const turn = setImmediate(run);
    return {
      cancel: () => {
        clearImmediate(turn);
      },
    };
  },
};
