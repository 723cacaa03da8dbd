/** The times of a bench's runs, and what they say of a pair: the median of the ratios of runs of the same round. */
export interface Run {
  readonly case: string;
  readonly receiver: string;
  readonly round: number;
  readonly seconds: number;
}

/** The middle value; of an even number the mean of the two in the middle; NaN if there is none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

export class Runs {
  readonly #runs: Run[] = [];

  add(run: Run): void {
    this.#runs.push(run);
  }

  /** Seconds. */
  median(name: string, receiver: string): number {
    return median(this.#of(name, receiver).map(({ seconds }) => seconds));
  }

  /** Our throughput over the peer's, round by round. */
  ratio(name: string, peer: string): number {
    const ours = this.#of(name, 'box');
    const theirs = this.#of(name, peer);
    return median(
      ours.flatMap(({ round, seconds }) =>
        theirs.filter((run) => run.round === round).map((run) => run.seconds / seconds),
      ),
    );
  }

  #of(name: string, receiver: string): readonly Run[] {
    return this.#runs.filter((run) => run.case === name && run.receiver === receiver);
  }
}
