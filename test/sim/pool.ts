/** Runs many seeds on some threads. */
import { Worker } from 'node:worker_threads';
import type { Mutation } from './mutation.ts';
import type { SeedResult, SeedRun } from './seed-run.ts';

/** What worlds have in common is kept for the next ones, 0.3 MB a seed: this bounds a thread to some 300 MB. */
const seedsOfThreadMax = 500;

export interface PoolOptions {
  readonly threads: number;
  readonly mutation?: Mutation;
  /** Called with each result as it comes; `stop`: no further seed is begun. */
  readonly onResult: (result: SeedResult) => 'go on' | 'stop';
}

/** Resolves when all have run, or those that were under way when it was told to stop. */
export async function runSeeds(runs: Iterable<SeedRun, undefined>, options: PoolOptions): Promise<void> {
  const { threads, mutation, onResult } = options;
  const iterator = runs[Symbol.iterator]();
  let isStopped = false;
  const next = (): SeedRun | undefined => {
    if (isStopped) return undefined;
    const step: IteratorResult<SeedRun, undefined> = iterator.next();
    return step.value;
  };
  const thread = async (): Promise<void> => {
    let worker = newWorker(mutation);
    let seeds = 0;
    for (let run = next(); run !== undefined; run = next()) {
      const result = await resultOf(worker, run);
      if (result.isWorkerGone || ++seeds >= seedsOfThreadMax) {
        await worker.terminate();
        worker = newWorker(mutation);
        seeds = 0;
      }
      if (onResult(result.result) === 'stop') isStopped = true;
    }
    await worker.terminate();
  };
  await Promise.all(Array.from({ length: threads }, thread));
}

function newWorker(mutation: Mutation | undefined): Worker {
  return new Worker(new URL('./worker.ts', import.meta.url), { workerData: { mutation } });
}

/** An error that nobody caught ends the thread: it is the seed's failure. */
function resultOf(
  worker: Worker,
  run: SeedRun,
): Promise<{ readonly result: SeedResult; readonly isWorkerGone: boolean }> {
  return new Promise((resolve) => {
    const isOver = (): void =>
      void worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    const onMessage = (result: SeedResult): void => {
      isOver();
      resolve({ result, isWorkerGone: false });
    };
    const onError = (error: unknown): void => {
      isOver();
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      resolve({ result: { ...run, traceHash: '', failures: [reason], figures: {} }, isWorkerGone: true });
    };
    // With nothing left that could happen, and no result: something waits for what never comes.
    const onExit = (code: number): void => onError(new Error(`the thread of the seed ended with ${code}`));
    worker.once('message', onMessage).once('error', onError).once('exit', onExit);
    worker.postMessage(run);
  });
}
