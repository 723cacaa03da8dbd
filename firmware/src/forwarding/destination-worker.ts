/**
 * Sends one destination its queue, one object after the other, at its own pace: a destination that is dead, slow or
 * full holds up neither the others nor reception.
 */
import type { Clock, HealthBoard, Logger, Service, Timer } from '../ports.ts';
import { retryPauseMs } from '../retry/pause.ts';
import { Bell } from './bell.ts';
import type { Destination } from './destination.ts';
import type { ForwardQueue, Waiting } from './forward-queue.ts';
import { objectFailurePauseLongestMs, windowLookMs } from './limits.ts';
import type { ObjectSender, SendOutcome } from './object-sender.ts';
import { isOpen } from './time-window.ts';

export interface DestinationWorkerOptions {
  readonly destination: Destination;
  readonly queue: ForwardQueue;
  readonly sender: ObjectSender;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
  /** Stops it, also in the middle of an object. */
  readonly stopping: AbortController;
  /** A study has nothing waiting any more, or something of it failed. */
  readonly onSettled: (waiting: Waiting) => void;
}

export interface Failing {
  /** UTC milliseconds. */
  readonly since: number;
  readonly reason: string;
}

export class DestinationWorker implements Service {
  readonly #options: DestinationWorkerOptions;
  readonly #bell: Bell;
  /** Studies of which an object failed since the destination last took one. */
  readonly #failed = new Set<string>();
  /** Associations in a row that could not be had. */
  #unreached = 0;
  #failing: Failing | undefined;
  /** Runs while it is left in peace. */
  #pause: Timer | undefined;
  #setAsideTold = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: DestinationWorkerOptions) {
    this.#options = options;
    this.#bell = new Bell(options.clock);
  }

  start(): Promise<void> {
    this.tellSetAside();
    this.#running = this.#run();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#options.stopping.abort();
    this.#pause?.cancel();
    this.#bell.ring();
    await this.#running;
    await this.#options.sender.stop();
  }

  /** Something new waits. */
  wake(): void {
    this.#bell.ring();
  }

  /** An admin believes that the destination is well again. */
  hurry(): void {
    this.#endPause();
    this.#options.queue.hurry();
    this.#bell.ring();
  }

  /** Since when it takes nothing, and why; undefined while it does. */
  get failing(): Failing | undefined {
    return this.#failing;
  }

  get isHeldBack(): boolean {
    const { destination, clock } = this.#options;
    return destination.paused || !isOpen(destination.windows, destination.timeZone, clock.now());
  }

  get #isStopped(): boolean {
    return this.#options.stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const next = this.#mayNotSend ? undefined : this.#options.queue.next();
      if (next !== undefined) {
        const outcome = await this.#options.sender.send(next);
        if (!this.#isStopped) this.#settle(next, outcome);
        continue;
      }
      this.#options.sender.rest();
      await this.#bell.rest(this.isHeldBack ? windowLookMs : this.#msUntilDeferred());
    }
  }

  get #mayNotSend(): boolean {
    return this.isHeldBack || this.#pause !== undefined;
  }

  #msUntilDeferred(): number | undefined {
    const { queue, clock } = this.#options;
    // In a pause nothing is due before its end.
    if (queue.deferredUntil === undefined || this.#pause !== undefined) return undefined;
    return Math.max(0, queue.deferredUntil - clock.now());
  }

  #settle(waiting: Waiting, outcome: SendOutcome): void {
    const { queue, clock } = this.#options;
    switch (outcome.kind) {
      case 'stored':
        queue.taken(waiting);
        this.#well();
        break;
      case 'refused':
        this.#warn(waiting, outcome.reason, 'object set aside');
        queue.setAside(waiting, outcome.reason, clock.now());
        break;
      case 'later':
        this.#warn(waiting, outcome.reason, 'object not taken, will be tried again');
        // What is set aside failed while others were taken: the destination is well.
        if (queue.defer(waiting, outcome.reason, clock.now()) === 'set aside') this.#well();
        else this.#objectFailed(waiting, outcome.reason);
        break;
      case 'unreachable':
        this.#warn(waiting, outcome.reason, 'destination not reached, will be tried again');
        this.#unwell(outcome.reason, retryPauseMs(this.#unreached++));
    }
    if (outcome.kind !== 'unreachable') this.#unreached = 0;
    this.tellSetAside();
    if (outcome.kind !== 'stored' || !queue.isWaiting(waiting.study)) this.#options.onSettled(waiting);
  }

  #well(): void {
    this.#failed.clear();
    if (this.#failing === undefined) return;
    this.#failing = undefined;
    this.#options.health.clear('DELIVERY_FAILED', this.#options.destination.name);
  }

  /**
   * A study that fails again and again keeps no other waiting; a destination that takes nothing of several is left in
   * peace.
   */
  #objectFailed({ study }: Waiting, reason: string): void {
    this.#failed.add(study.ref);
    const others = this.#failed.size - 1;
    const pauseMs = others === 0 ? 0 : retryPauseMs(others - 1);
    this.#unwell(reason, Math.min(pauseMs, objectFailurePauseLongestMs));
  }

  #unwell(reason: string, pauseMs: number): void {
    const { destination, clock, health } = this.#options;
    this.#failing = { since: this.#failing?.since ?? clock.now(), reason };
    health.raise('DELIVERY_FAILED', destination.name, reason);
    if (pauseMs === 0) return;
    // A timer, not a time: a clock that is set back does not make the pause longer.
    this.#pause = clock.setTimer(pauseMs, () => {
      this.#endPause();
      this.#bell.ring();
    });
  }

  #endPause(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
  }

  /** Raises or clears the alarm; called whenever objects may have been set aside, or no longer are. */
  tellSetAside(): void {
    const { destination, health, queue } = this.#options;
    const count = queue.setAsideCount;
    if (count === this.#setAsideTold) return;
    this.#setAsideTold = count;
    const subject = destination.name;
    if (count === 0) health.clear('OBJECTS_SET_ASIDE', subject);
    else health.raise('OBJECTS_SET_ASIDE', subject, `Objects that were refused and are set aside: ${count}.`);
  }

  #warn({ study, object }: Waiting, reason: string, message: string): void {
    const { destination, logger } = this.#options;
    const { sopClassUid, transferSyntaxUid } = object;
    const fields = {
      destination: destination.name,
      study: study.ref,
      sopClassUid,
      transferSyntaxUid,
      reason,
    };
    logger.warn(fields, message);
  }
}
