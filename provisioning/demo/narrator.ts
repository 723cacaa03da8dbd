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
  readonly #signal: AbortSignal | undefined;
  readonly #startedAt = performance.now();
  readonly #steps: StepRecord[] = [];

  /** No step begins once `signal` is aborted, and the one that runs is not waited for. */
  constructor(write: (text: string) => void, signal?: AbortSignal) {
    this.#write = write;
    this.#signal = signal;
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

  /** Runs one step; prints how long it took and the figure that it returns. @throws StepFailed naming the step; the signal's reason. */
  async step<Result>(
    title: string,
    run: () => Promise<Result>,
    figure: (result: Result) => string = () => '',
  ): Promise<Result> {
    this.#signal?.throwIfAborted();
    const begun = performance.now();
    try {
      const result = await this.#untilAborted(run());
      const seconds = (performance.now() - begun) / 1000;
      const told = figure(result);
      this.#steps.push({ title, seconds, figure: told });
      const at = ((performance.now() - this.#startedAt) / 1000).toFixed(1).padStart(6);
      this.#write(`  ${at} s  ✓ ${title}${told === '' ? '' : `: ${told}`}  (${seconds.toFixed(2)} s)\n`);
      return result;
    } catch (cause) {
      this.#signal?.throwIfAborted();
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#write(`           ✗ ${title}: ${why}\n`);
      throw new StepFailed(title, { cause });
    }
  }

  async #untilAborted<Result>(running: Promise<Result>): Promise<Result> {
    const signal = this.#signal;
    if (signal === undefined) return running;
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal.reason as Error);
    signal.addEventListener('abort', abort);
    try {
      return await Promise.race([running, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
