/** What one run of one seed has shown. */
export interface Outcome {
  readonly traceHash: string;
  /** Rules that were broken, in words; empty if all held. */
  readonly failures: readonly string[];
  /** What happened, for the table at the end: sums over the seeds, and for names that end in `Max` the greatest. */
  readonly figures: Readonly<Record<string, number>>;
}

export type RunSeed = (seed: number, readAlong?: (timeMs: number, event: string) => void) => Promise<Outcome>;
