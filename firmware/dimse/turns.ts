/**
 * How much of the event loop all associations of one server have together for what costs more than its bytes: small
 * fragments, commands, data sets that are decoded, and data that are discarded. All of it is legal in any number (PS3.7,
 * PS3.8 annex E), and peers that send nothing else, as fast as they can, would have nearly all of the time. So they take
 * turns, each after a rest in proportion to what it has cost, and the others have the rest of the time.
 */
import type { Clock } from '../src/ports.ts';
import { turnCostMax, turnMs, turnsWaitingMax } from './limits.ts';
import { WorkQueue } from './rests.ts';

export class Turns {
  readonly #clock: Clock;
  /** How many wait. */
  #waiting = 0;
  /** Long data sets that are decoded, a part at a time. */
  readonly longWorks = new WorkQueue();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Resolves when somebody that has had work of this cost may have more: after so many turns of each that waits. What the
   * others have had does not count: few bytes may cost a hundred turns, and would keep everybody waiting for as long.
   * One that has ended meanwhile waits no longer than any other, so that those who come and go delay nobody for ever.
   */
  async next(cost: number): Promise<void> {
    this.#waiting += 1;
    const had = cost / turnCostMax;
    await this.#clock.sleep(turnMs * had * Math.min(this.#waiting, turnsWaitingMax));
    this.#waiting -= 1;
  }

  /**
   * One turn, for the long work whose part is done next. It waits for nobody else: its parts are many, and if each waited
   * for all that flood, those in its queue would wait for minutes.
   */
  nextPart(): Promise<void> {
    return this.#clock.sleep(turnMs);
  }
}

/** What one association has cost since its last rest. Counted, not timed: what a peer is given depends on nobody else. */
export class WorkAccount {
  readonly turns: Turns;
  #cost = 0;

  constructor(turns: Turns) {
    this.turns = turns;
  }

  get cost(): number {
    return this.#cost;
  }

  /** A microsecond each, or less. */
  charge(cost: number): void {
    this.#cost += cost;
  }

  /** What was charged in the first place, at most. */
  giveBack(cost: number): void {
    this.#cost = Math.max(0, this.#cost - cost);
  }

  /** What is left of it goes to this account, once nothing more is charged here. */
  handOver(to: WorkAccount): void {
    to.charge(this.#cost);
    this.#cost = 0;
  }

  /** Undefined if none is due. */
  rest(): Promise<void> | undefined {
    const cost = this.#cost;
    if (cost < turnCostMax) return undefined;
    this.#cost = 0;
    return this.turns.next(cost);
  }

  /** One turn before the next part of a long work, and so many as are owed; undefined if none is due. */
  restOfLongWork(): Promise<void> | undefined {
    if (this.#cost < turnCostMax) return undefined;
    this.#cost -= turnCostMax;
    return this.turns.nextPart();
  }
}
