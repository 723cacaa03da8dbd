/**
 * The threads that hash and seal, from outside. They wait for nobody: what of a segment is there stands beside it, and
 * a sender that stalls leaves no more than an entry in a table. A thread that fails takes the segments with it that it
 * had, whose objects fail, and is replaced (docs/adr/0024-hash-and-seal-on-threads.md).
 */
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { AppError } from '../errors.ts';
import type { Logger } from '../ports.ts';
import { sealThreadsMax } from './limits.ts';
import type { SealWorkerAnswer, SealWorkerRequest } from './seal-worker.ts';
import type { SegmentMemory, SegmentPlace, SharedSegments } from './segment-memory.ts';
import type { SegmentKeys } from './segment-work.ts';

/** What is asked of a thread; a test may have its own. */
export interface SealThread {
  postMessage(request: SealWorkerRequest): void;
  on(event: 'message', listener: (answer: SealWorkerAnswer) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'exit', listener: () => void): unknown;
  /** Whether it keeps the program up. */
  ref(): void;
  unref(): void;
  terminate(): Promise<unknown>;
}

export interface SealThreadsOptions {
  readonly memory: SegmentMemory;
  readonly logger: Logger;
  readonly openThread?: (shared: SharedSegments) => SealThread;
  /** Threads; as many as processors besides the event loop's, if nobody says so. */
  readonly count?: number;
}

interface Running {
  readonly thread: SealThread;
  readonly jobs: Map<SegmentPlace, SealJob>;
  isReady: boolean;
  error: Error | undefined;
}

const cannotStart = 'a thread that seals objects cannot be started';

const file = fileURLToPath(new URL(`./seal-worker${extname(import.meta.url)}`, import.meta.url));

export function openSealWorker(shared: SharedSegments): SealThread {
  return new Worker(file, { workerData: shared, name: 'sealing' });
}

/** One segment in a thread. */
export class SealJob {
  readonly #running: Running;
  readonly #place: SegmentPlace;
  #answered: ((leaves: Uint8Array) => void) | undefined;
  #failed: ((error: AppError) => void) | undefined;
  #failure: AppError | undefined;

  constructor(running: Running, place: SegmentPlace) {
    this.#running = running;
    this.#place = place;
  }

  /** The thread may have ended what was there, and more is. */
  more(): void {
    this.#post({ kind: 'more', place: this.#place });
  }

  /**
   * All of the plaintext is there. Resolves with the leaves when ciphertext and tag stand in its place; afterwards, and
   * after a failure, the thread does nothing there. @throws AppError STORE_FAILED.
   */
  end(): Promise<Uint8Array> {
    return this.#answer({ kind: 'end', place: this.#place });
  }

  /** Resolves when the thread does nothing in its place any more. */
  async forget(): Promise<void> {
    // Neither does a thread that has ended.
    await Promise.allSettled([this.#answer({ kind: 'forget', place: this.#place })]);
  }

  /** Its thread is done with it. */
  answered(leaves: Uint8Array): void {
    this.#answered?.(leaves);
  }

  /** Its thread has ended. */
  fail(failure: AppError): void {
    this.#failure = failure;
    this.#failed?.(failure);
  }

  #answer(request: SealWorkerRequest): Promise<Uint8Array> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#answered = resolve;
    this.#failed = reject;
    this.#post(request);
    return promise;
  }

  #post(request: SealWorkerRequest): void {
    if (this.#failure === undefined) this.#running.thread.postMessage(request);
  }
}

export class SealThreads {
  readonly #options: SealThreadsOptions;
  readonly #running = new Set<Running>();
  #isStopped = false;

  /** They are there when they say that they are; until then, and without any, work is done where it is asked for. */
  constructor(options: SealThreadsOptions) {
    this.#options = options;
    const { count = Math.min(sealThreadsMax, Math.max(1, availableParallelism() - 1)) } = options;
    for (let i = 0; i < count; i++) this.#open();
  }

  /** Begins segment `index`, of which some is in its place. Undefined if no thread is there. */
  begin(place: SegmentPlace, keys: SegmentKeys, index: number): SealJob | undefined {
    const running = this.#leastBusy();
    if (running === undefined) return undefined;
    const job = new SealJob(running, place);
    if (running.jobs.size === 0) running.thread.ref();
    running.jobs.set(place, job);
    running.thread.postMessage({ kind: 'begin', place, keys, index });
    return job;
  }

  /** Ends the threads; what they had fails. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#running].map(({ thread }) => thread.terminate()));
  }

  #leastBusy(): Running | undefined {
    let least: Running | undefined;
    for (const running of this.#running)
      if (running.isReady && running.jobs.size < (least?.jobs.size ?? Infinity)) least = running;
    return least;
  }

  #open(): void {
    const { memory, openThread = openSealWorker, logger } = this.#options;
    let thread: SealThread;
    try {
      thread = openThread(memory.shared);
    } catch (error) {
      // Where the machine has no thread to give, the constructor throws; work is then done where it is asked for.
      logger.warn({ err: error, objects: 0 }, cannotStart);
      return;
    }
    const running: Running = { thread, jobs: new Map(), isReady: false, error: undefined };
    this.#running.add(running);
    // It keeps the program up only while somebody waits for it.
    thread.unref();
    thread.on('message', (answer) => {
      if (answer.kind === 'ready') running.isReady = true;
      else this.#done(running, answer.place, answer.leaves);
    });
    thread.on('error', (error) => {
      running.error = error;
    });
    thread.on('exit', () => {
      this.#ended(running);
    });
  }

  #done({ thread, jobs }: Running, place: SegmentPlace, leaves: Uint8Array): void {
    const job = jobs.get(place);
    jobs.delete(place);
    if (jobs.size === 0) thread.unref();
    job?.answered(leaves);
  }

  #ended(running: Running): void {
    this.#running.delete(running);
    const { jobs, isReady, error } = running;
    const failure = new AppError('STORE_FAILED', 'A thread that seals objects ended.', { cause: error });
    for (const job of jobs.values()) job.fail(failure);
    if (this.#isStopped) return;
    this.#options.logger.warn(
      { objects: jobs.size, ...(error && { err: error }) },
      isReady ? 'a thread that seals objects is replaced' : cannotStart,
    );
    // One that could not even begin says that there is no memory or no thread to be had: it is not tried for ever.
    if (isReady) this.#open();
  }
}
