/** How far the handovers on this box lead from the genesis document on, and the alarm where one is missing for long. */
import type { HealthBoard } from '../ports.ts';
import { handoverMissingMs } from './limits.ts';

const alarmSubject = 'handover';

/** Epochs that may have ended since the one whose handover is missing before that is an alarm: one may be under way. */
const epochsOpenMax = 1;

export class HandoverWay {
  readonly #completed: (epoch: number) => Promise<Uint8Array | undefined>;
  readonly #health: HealthBoard;
  /** The first epoch of which none was found. Those that are complete stay so. */
  #next = 0;
  /** When that was first seen of which epoch. */
  #missing: { readonly epoch: number; readonly since: number } | undefined;

  constructor(completed: (epoch: number) => Promise<Uint8Array | undefined>, health: HealthBoard) {
    this.#completed = completed;
    this.#health = health;
  }

  /** The first epoch of which none was found when this was looked for last. */
  get next(): number {
    return this.#next;
  }

  /**
   * Whether this box can show how the validators got from epoch to epoch up to the end of this one. @throws AppError
   * STORE_FAILED.
   */
  async leadsTo(epoch: number): Promise<boolean> {
    while (this.#next <= epoch) {
      const asked = this.#next;
      if ((await this.#completed(asked)) === undefined) break;
      // Another call may have come this far meanwhile: counted up once more, it would pass over the next one unseen.
      this.#next = Math.max(this.#next, asked + 1);
    }
    return epoch < this.#next;
  }

  /**
   * Raises the alarm, or clears it. `current`: the epoch that this box is in. `now`: of any clock, milliseconds.
   * @throws AppError STORE_FAILED.
   */
  async look(current: number, now: number): Promise<void> {
    if (await this.leadsTo(current - 1 - epochsOpenMax)) {
      this.#missing = undefined;
      this.#health.clear('HANDOVER_MISSING', alarmSubject);
      return;
    }
    const epoch = this.#next;
    if (this.#missing?.epoch !== epoch) this.#missing = { epoch, since: now };
    if (now - this.#missing.since < handoverMissingMs) return;
    const message = `The handover at the end of epoch ${epoch} is not signed by enough boxes of that epoch.`;
    this.#health.raise('HANDOVER_MISSING', alarmSubject, message);
  }
}
