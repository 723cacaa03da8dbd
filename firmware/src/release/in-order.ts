/**
 * Works that run side by side, a few at a time, each told when those before it are done. The first failure is thrown
 * by what is called next.
 */
export class InOrder<Result> {
  readonly #atATime: number;
  readonly #underWay: Promise<Result>[] = [];
  #last: Promise<Result> | undefined;

  constructor(atATime: number) {
    this.#atATime = atATime;
  }

  /** Begins a work, which gets the promise of the one before it; resolves when another may be added. */
  async add(work: (turn: Promise<unknown>) => Promise<Result>): Promise<void> {
    const begun = work(this.#last ?? Promise.resolve());
    this.#last = begun;
    this.#underWay.push(begun);
    // Its failure is told by whoever awaits it below; until then it is not unhandled.
    void Promise.allSettled([begun]);
    if (this.#underWay.length >= this.#atATime) await this.#underWay.shift();
  }

  /** Resolves when nothing runs any more, whatever became of it. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  /** What the last work came to, once all are done; undefined if there was none. */
  async last(): Promise<Result | undefined> {
    return (await Promise.all(this.#underWay.splice(0))).at(-1) ?? (await this.#last);
  }
}
