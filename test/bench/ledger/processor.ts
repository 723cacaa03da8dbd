/** The one core of a simulated box: work costs time, and what comes meanwhile waits for its turn. */
import type { Clock } from '../../../firmware/src/ports.ts';
import type { VirtualTime } from '../../fakes/virtual-clock.ts';

export class Processor {
  readonly #time: VirtualTime;
  readonly #waiting: (() => void)[] = [];
  /** Virtual time at which it has done what it was charged with. */
  #freeAt = 0;
  #isTurnSet = false;
  /** All that it was charged with. Milliseconds. */
  busyMs = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** When what is being done now has been done: what it sends leaves then. */
  get doneAt(): number {
    return Math.max(this.#time.events.now, this.#freeAt);
  }

  charge(ms: number): void {
    this.busyMs += ms;
    this.#freeAt = this.doneAt + ms;
  }

  /** Runs this when everything that came before is done. */
  run(task: () => void): void {
    this.#waiting.push(task);
    this.#setTurn();
  }

  /** A clock whose timers ring when the processor has time for them. */
  clock(): Clock {
    const clock = this.#time.clock();
    return {
      ...clock,
      now: () => Math.floor(clock.now()),
      setTimer: (ms, ring) => {
        let isCancelled = false;
        const timer = clock.setTimer(ms, () => this.run(() => isCancelled || ring()));
        return {
          cancel: () => {
            isCancelled = true;
            timer.cancel();
          },
        };
      },
    };
  }

  #setTurn(): void {
    if (this.#isTurnSet || this.#waiting.length === 0) return;
    this.#isTurnSet = true;
    const { events } = this.#time;
    events.after(this.doneAt - events.now, () => {
      this.#isTurnSet = false;
      // What follows from earlier work may have been charged since the turn was set.
      if (this.#freeAt <= events.now) this.#waiting.shift()?.();
      this.#setTurn();
    });
  }
}
