/**
 * How fast one server reads small fragments, and commands that bring nothing, of all of its associations together. PDVs of a byte, or of none, are legal
 * in any number (PS3.8 annex E), and each costs as much as one of a kilobyte: peers that send nothing else, as fast as
 * they can, would have nearly all of the event loop's time. So they take turns, and the others have the rest.
 */
import type { Clock } from '../src/ports.ts';
import { associationsMax, smallFragmentsTurnMs } from './limits.ts';

export class FragmentTurns {
  readonly #clock: Clock;
  #waiting = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Resolves when another `smallFragmentsPerTurnMax` may be read of one association; the later the more of them wait.
   * One that has ended meanwhile waits no longer than any other, so that those who come and go delay nobody for ever.
   */
  async next(): Promise<void> {
    this.#waiting += 1;
    await this.#clock.sleep(smallFragmentsTurnMs * Math.min(this.#waiting, associationsMax));
    this.#waiting -= 1;
  }
}
