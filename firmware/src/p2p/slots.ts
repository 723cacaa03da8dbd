/** So many at a time; the others wait in order, up to a bound. */
export class Slots {
  readonly #slotsMax: number;
  readonly #waitingMax: number;
  #taken = 0;
  #waiting: (() => void)[] = [];

  constructor(slotsMax: number, waitingMax: number) {
    this.#slotsMax = slotsMax;
    this.#waitingMax = waitingMax;
  }

  /** True if a slot was free and is now taken. */
  tryTake(): boolean {
    if (this.#taken >= this.#slotsMax) return false;
    this.#taken++;
    return true;
  }

  /**
   * True when the slot is taken, false if too many wait already.
   * @throws the signal's reason when it is aborted first.
   */
  async take(signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (this.tryTake()) return true;
    if (this.#waiting.length >= this.#waitingMax) return false;
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const grant = (): void => {
      signal.removeEventListener('abort', giveUp);
      resolve(true);
    };
    const giveUp = (): void => {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== grant);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    this.#waiting.push(grant);
    return promise;
  }

  /** Gives a slot back, to the one who waits longest if there is one. */
  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken--;
    else next();
  }
}
