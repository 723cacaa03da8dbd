/**
 * Whether the ledger grows whenever it can: while the same quorum of boxes is up and reaches each other, for longer than
 * they may take to find each other and to agree. Times are milliseconds of any one clock.
 */
export class Progress {
  readonly #quorum: number;
  readonly #patienceMs: number;
  /** Since when each of the boxes that are up has been. */
  readonly #upSince = new Map<number, number>();
  #grewAt = -Infinity;
  #lookedAt: number | undefined;
  #isComplained = false;
  /** The longest time without growth that a quorum did not make use of. */
  worstMs = 0;
  /** How long there was a quorum at all. */
  expectedMs = 0;
  readonly complaints: string[] = [];

  constructor(quorum: number, patienceMs: number) {
    this.#quorum = quorum;
    this.#patienceMs = patienceMs;
  }

  up(box: number, now: number): void {
    this.look(now);
    if (!this.#upSince.has(box)) this.#upSince.set(box, now);
  }

  down(box: number, now: number): void {
    this.look(now);
    this.#upSince.delete(box);
  }

  /** There is a new final block. */
  grew(now: number): void {
    this.look(now);
    this.#grewAt = now;
    this.#isComplained = false;
  }

  /** To be called often, so that a standstill is told while it lasts. */
  look(now: number): void {
    const sinceLook = now - (this.#lookedAt ?? now);
    this.#lookedAt = now;
    // The quorum that has been up longest is complete since its youngest came.
    const quorumSince = [...this.#upSince.values()].sort((a, b) => a - b)[this.#quorum - 1];
    if (quorumSince === undefined) return;
    this.expectedMs += sinceLook;
    const idleMs = now - Math.max(quorumSince, this.#grewAt);
    this.worstMs = Math.max(this.worstMs, idleMs);
    if (idleMs <= this.#patienceMs || this.#isComplained) return;
    this.#isComplained = true;
    const up = [...this.#upSince.keys()].join(', ');
    this.complaints.push(`no block for ${idleMs} ms although boxes ${up} were up (at ${now} ms)`);
  }
}
