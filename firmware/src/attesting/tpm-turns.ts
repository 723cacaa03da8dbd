/** The TPM's time for those who ask: one at a time, few in line, and nobody more often than allowed. */
import { answersWaitingMax } from './limits.ts';

export interface TurnOf {
  readonly asker: string;
  /** Between two turns of this asker. */
  readonly intervalMs: number;
  /** No more than these may wait already. */
  readonly waitingMax?: number;
}

export class TpmTurns {
  readonly #lastAt = new Map<string, number>();
  #line: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /**
   * Runs it when its turn has come; undefined at once if the asker was answered too recently, or too many wait.
   * @param now of any clock, milliseconds.
   */
  take<Result>(
    { asker, intervalMs, waitingMax = answersWaitingMax }: TurnOf,
    now: number,
    run: () => Promise<Result>,
  ): Promise<Result> | undefined {
    this.#forgetBefore(now - intervalMs, asker);
    if (this.#lastAt.has(asker) || this.#waiting >= waitingMax) return undefined;
    this.#lastAt.set(asker, now);
    this.#waiting += 1;
    const turn = this.#line.then(run);
    const ended = (): void => {
      this.#waiting -= 1;
    };
    // Who took the turn hears of its failure; the next in line only waits for its end.
    this.#line = turn.then(ended, ended);
    return turn;
  }

  /** Whoever shares this asker's turns may have one at once, unless another was taken since `now`. */
  giveBack(asker: string, now: number): void {
    if (this.#lastAt.get(asker) === now) this.#lastAt.delete(asker);
  }

  #forgetBefore(time: number, asker: string): void {
    const last = this.#lastAt.get(asker);
    if (last !== undefined && last <= time) this.#lastAt.delete(asker);
  }
}
