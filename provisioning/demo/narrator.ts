/** Says what happens, step by step, with its time and figure. */
export interface StepRecord {
  readonly title: string;
  readonly seconds: number;
  readonly figure: string;
}

export class StepFailed extends Error {
  override readonly name = 'StepFailed';
}

export class Narrator {
  readonly #write: (text: string) => void;
  readonly #startedAt = performance.now();
  readonly #steps: StepRecord[] = [];

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  get steps(): readonly StepRecord[] {
    return this.#steps;
  }

  say(line: string): void {
    this.#write(`${line}\n`);
  }

  heading(title: string): void {
    this.#write(`\n${title}\n`);
  }

  /** Runs one step; prints how long it took and the figure that it returns. @throws StepFailed naming the step. */
  async step<Result>(
    title: string,
    run: () => Promise<Result>,
    figure: (result: Result) => string = () => '',
  ): Promise<Result> {
    const begun = performance.now();
    try {
      const result = await run();
      const seconds = (performance.now() - begun) / 1000;
      const told = figure(result);
      this.#steps.push({ title, seconds, figure: told });
      const at = ((performance.now() - this.#startedAt) / 1000).toFixed(1).padStart(6);
      this.#write(`  ${at} s  ✓ ${title}${told === '' ? '' : `: ${told}`}  (${seconds.toFixed(2)} s)\n`);
      return result;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#write(`           ✗ ${title}: ${why}\n`);
      throw new StepFailed(title, { cause });
    }
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
