/** Objects that a destination did not take for now, and when each is tried again. Lost at a restart: all are due then. */
import type { Clock } from '../ports.ts';
import { retryLongestMs } from '../retry/limits.ts';
import { retryPauseMs } from '../retry/pause.ts';
import { objectsDeferredMax, objectTriesMax } from './limits.ts';

/** An object by its study and its place there. */
export interface ObjectPlace {
  readonly studyRef: string;
  readonly index: number;
}

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
  readonly #byStudy = new Map<string, Map<number, Deferral>>();
  #taken = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** When the first of them is due again. */
  get nextAt(): number | undefined {
    let first: number | undefined;
    for (const deferrals of this.#byStudy.values())
      for (const { notBefore } of deferrals.values()) first = Math.min(first ?? notBefore, notBefore);
    return first === undefined ? undefined : Math.min(this.#clock.now() + retryLongestMs, first);
  }

  /** A clock that was set back makes no pause longer than the longest. */
  isWaiting(place: ObjectPlace): boolean {
    const ms = (this.#get(place)?.notBefore ?? 0) - this.#clock.now();
    return ms > 0 && ms <= retryLongestMs;
  }

  /** Whether it failed since it was last taken. */
  has(place: ObjectPlace): boolean {
    return this.#get(place) !== undefined;
  }

  hasSome(studyRef: string): boolean {
    return this.#byStudy.has(studyRef);
  }

  /** Whether so many objects of a study failed that no further one of it is tried before one of these was taken. */
  isStuck(studyRef: string): boolean {
    return (this.#byStudy.get(studyRef)?.size ?? 0) >= objectsDeferredMax;
  }

  /** The destination took an object. */
  took(place: ObjectPlace): void {
    this.#taken++;
    this.forget(place);
  }

  forget({ studyRef, index }: ObjectPlace): void {
    const deferrals = this.#byStudy.get(studyRef);
    deferrals?.delete(index);
    if (deferrals?.size === 0) this.#byStudy.delete(studyRef);
  }

  /** All are due now. */
  clear(): void {
    this.#byStudy.clear();
  }

  /** `deferred`: passed by until its time comes. `exhausted`: it failed too often while others were taken. */
  failed(place: ObjectPlace): 'deferred' | 'exhausted' {
    const before = this.#get(place);
    const others = before !== undefined && this.#taken > before.takenThen;
    const inVain = (before?.inVain ?? 0) + (others ? 1 : 0);
    if (inVain >= objectTriesMax) {
      this.forget(place);
      return 'exhausted';
    }
    const failures = (before?.failures ?? 0) + 1;
    const deferrals = this.#byStudy.get(place.studyRef) ?? new Map<number, Deferral>();
    this.#byStudy.set(place.studyRef, deferrals);
    deferrals.set(place.index, {
      failures,
      inVain,
      takenThen: this.#taken,
      notBefore: this.#clock.now() + retryPauseMs(failures - 1),
    });
    return 'deferred';
  }

  #get({ studyRef, index }: ObjectPlace): Deferral | undefined {
    return this.#byStudy.get(studyRef)?.get(index);
  }
}
