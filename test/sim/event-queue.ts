/** Virtual time: what happens next, by time and then by order of scheduling. A binary heap. */
interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class EventQueue {
  readonly #heap: Event[] = [];
  #scheduled = 0;
  /** Virtual milliseconds. */
  now = 0;

  after(ms: number, run: () => void): void {
    this.#heap.push({ at: this.now + ms, order: this.#scheduled++, run });
    let child = this.#heap.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.#swapIfLater(parent, child)) break;
      child = parent;
    }
  }

  /** The next event up to this time, or undefined with the clock moved there. */
  takeUntil(timeMs: number): (() => void) | undefined {
    const [next] = this.#heap;
    if (next === undefined || next.at > timeMs) {
      this.now = timeMs;
      return undefined;
    }
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink();
    }
    this.now = next.at;
    return next.run;
  }

  #sink(): void {
    for (let parent = 0; ;) {
      const left = 2 * parent + 1;
      if (left >= this.#heap.length) return;
      const right = left + 1;
      const child = right < this.#heap.length && this.#isLater(left, right) ? right : left;
      if (!this.#swapIfLater(parent, child)) return;
      parent = child;
    }
  }

  #isLater(a: number, b: number): boolean {
    const [first, second] = [this.#heap[a], this.#heap[b]];
    if (first === undefined || second === undefined) return false;
    return first.at > second.at || (first.at === second.at && first.order > second.order);
  }

  #swapIfLater(parent: number, child: number): boolean {
    if (!this.#isLater(parent, child)) return false;
    const [above, below] = [this.#heap[parent], this.#heap[child]];
    if (above !== undefined && below !== undefined) {
      this.#heap[parent] = below;
      this.#heap[child] = above;
    }
    return true;
  }
}
