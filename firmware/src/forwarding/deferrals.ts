/** Objects that a destination did not take for now, and when each is tried again. Lost at a restart: all are due then. */
import type { Clock } from '../ports.ts';
import { retryLongestMs } from '../retry/limits.ts';
import { retryPauseMs } from '../retry/pause.ts';
import { objectsDeferredMax, objectTriesMax, studyHeldMs } from './limits.ts';

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

interface StudyDeferrals {
  readonly objects: Map<number, Deferral>;
  /** Until then no object is tried that did not fail yet, UTC milliseconds. */
  heldUntil: number;
}

export class Deferrals {
  readonly #clock: Clock;
  readonly #byStudy = new Map<string, StudyDeferrals>();
  #taken = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** When the first of them is due again. */
  get nextAt(): number | undefined {
    let first: number | undefined;
    for (const { objects } of this.#byStudy.values())
      for (const { notBefore } of objects.values()) first = Math.min(first ?? notBefore, notBefore);
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

  /** Whether so many objects of a study failed that further ones of it have to wait. */
  isHeld(studyRef: string): boolean {
    const ms = (this.#byStudy.get(studyRef)?.heldUntil ?? 0) - this.#clock.now();
    return ms > 0 && ms <= studyHeldMs;
  }

  /** The destination took an object. */
  took(place: ObjectPlace): void {
    this.#taken++;
    this.forget(place);
    const study = this.#byStudy.get(place.studyRef);
    if (study !== undefined) study.heldUntil = 0;
  }

  forget({ studyRef, index }: ObjectPlace): void {
    const objects = this.#byStudy.get(studyRef)?.objects;
    objects?.delete(index);
    if (objects?.size === 0) this.#byStudy.delete(studyRef);
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
    const now = this.#clock.now();
    const study = this.#byStudy.get(place.studyRef) ?? { objects: new Map<number, Deferral>(), heldUntil: 0 };
    this.#byStudy.set(place.studyRef, study);
    study.objects.set(place.index, {
      failures,
      inVain,
      takenThen: this.#taken,
      notBefore: now + retryPauseMs(failures - 1),
    });
    if (before === undefined && study.objects.size >= objectsDeferredMax) study.heldUntil = now + studyHeldMs;
    return 'deferred';
  }

  #get({ studyRef, index }: ObjectPlace): Deferral | undefined {
    return this.#byStudy.get(studyRef)?.objects.get(index);
  }
}
