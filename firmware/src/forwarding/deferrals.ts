/** Objects that a destination did not take for now, and when each is tried again. Lost at a restart: all are due then. */
import type { Clock } from '../ports.ts';
import { retryLongestMs } from '../retry/limits.ts';
import { retryPauseMs } from '../retry/pause.ts';
import { objectsDeferredMax, objectTriesMax } from './limits.ts';

interface Deferral {
  readonly failures: number;
  /** Failures between which the destination took something else. */
  readonly inVain: number;
  /** What the destination had taken when it last failed. */
  readonly takenThen: number;
  readonly notBefore: number;
}

export class Deferrals {
  readonly #clock: Clock;
  readonly #deferrals = new Map<string, Deferral>();
  #taken = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** When the first of them is due again. */
  get nextAt(): number | undefined {
    const times = [...this.#deferrals.values()].map(({ notBefore }) => notBefore);
    return times.length === 0 ? undefined : Math.min(this.#clock.now() + retryLongestMs, ...times);
  }

  /** A clock that was set back makes no pause longer than the longest. */
  isWaiting(key: string): boolean {
    const ms = (this.#deferrals.get(key)?.notBefore ?? 0) - this.#clock.now();
    return ms > 0 && ms <= retryLongestMs;
  }

  /** Whether there is one whose key begins so. */
  hasSome(keyPrefix: string): boolean {
    return [...this.#deferrals.keys()].some((key) => key.startsWith(keyPrefix));
  }

  /** The destination took an object. */
  took(key: string): void {
    this.#taken++;
    this.#deferrals.delete(key);
  }

  forget(key: string): void {
    this.#deferrals.delete(key);
  }

  /** All are due now. */
  clear(): void {
    this.#deferrals.clear();
  }

  /**
   * `deferred`: passed by until its time comes. `exhausted`: it failed too often while others were taken. `stuck`: too
   * many wait already, so it is the destination that is not well.
   */
  failed(key: string): 'deferred' | 'exhausted' | 'stuck' {
    const before = this.#deferrals.get(key);
    if (before === undefined && this.#deferrals.size >= objectsDeferredMax) return 'stuck';
    const others = before !== undefined && this.#taken > before.takenThen;
    const inVain = (before?.inVain ?? 0) + (others ? 1 : 0);
    if (inVain >= objectTriesMax) {
      this.#deferrals.delete(key);
      return 'exhausted';
    }
    const failures = (before?.failures ?? 0) + 1;
    this.#deferrals.set(key, {
      failures,
      inVain,
      takenThen: this.#taken,
      notBefore: this.#clock.now() + retryPauseMs(failures - 1),
    });
    return 'deferred';
  }
}
