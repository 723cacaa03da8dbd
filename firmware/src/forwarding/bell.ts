import type { Clock } from '../ports.ts';

/** Wakes one who rests: because the time is over, or because somebody rang. */
export class Bell {
  readonly #clock: Clock;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#wake?.();
  }

  /** Resolves at the next ring, or after so many milliseconds. One at a time may rest. */
  async rest(ms: number | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = ms === undefined ? undefined : this.#clock.setTimer(ms, resolve);
    await promise;
    timer?.cancel();
    this.#wake = undefined;
  }
}
