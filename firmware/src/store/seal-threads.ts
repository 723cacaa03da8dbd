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
import type { Clock, Logger, Timer } from '../ports.ts';
import { sealThreadRetryMs, sealThreadsMax } from './limits.ts';
import type { SealWorkerAnswer, SealWorkerKeys, SealWorkerRequest } from './seal-worker.ts';
import type { SegmentMemory, SegmentPlace, SharedSegments } from './segment-memory.ts';

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
  readonly clock: Clock;
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
  readonly #count: number;
  readonly #running = new Set<Running>();
  /** When those that could not be started are tried again. */
  #retry: Timer | undefined;
  /** Whether it is in the log that one could not be started: it is said once until all are there. */
  #isShort = false;
  #isStopped = false;

  /** They are there when they say that they are; until then, and without any, work is done where it is asked for. */
  constructor(options: SealThreadsOptions) {
    this.#options = options;
    const { count = Math.min(sealThreadsMax, Math.max(1, availableParallelism() - 1)) } = options;
    this.#count = count;
    this.#openMissing();
  }

  /** Begins segment `index`, of which some is in its place. Undefined if no thread is there. */
  begin(place: SegmentPlace, keys: SealWorkerKeys, index: number): SealJob | undefined {
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
    this.#retry?.cancel();
    await Promise.all([...this.#running].map(({ thread }) => thread.terminate()));
  }

  #leastBusy(): Running | undefined {
    let least: Running | undefined;
    for (const running of this.#running)
      if (running.isReady && running.jobs.size < (least?.jobs.size ?? Infinity)) least = running;
    return least;
  }

  #openMissing(): void {
    this.#retry = undefined;
    for (let missing = this.#count - this.#running.size; missing > 0; missing--) this.#open();
  }

  /** It had no memory or no thread to give: that passes, and until then work is done where it is asked for. */
  #openLater(objects: number, error: unknown): void {
    const { clock, logger } = this.#options;
    if (!this.#isShort) logger.warn({ objects, ...(error !== undefined && { err: error }) }, cannotStart);
    this.#isShort = true;
    this.#retry ??= clock.setTimer(sealThreadRetryMs, () => {
      this.#openMissing();
    });
  }

  #open(): void {
    const { memory, openThread = openSealWorker } = this.#options;
    let thread: SealThread;
    try {
      thread = openThread(memory.shared);
    } catch (error) {
      // The constructor throws where the machine has no thread to give.
      this.#openLater(0, error);
      return;
    }
    const running: Running = { thread, jobs: new Map(), isReady: false, error: undefined };
    this.#running.add(running);
    // It keeps the program up only while somebody waits for it.
    thread.unref();
    thread.on('message', (answer) => {
      if (answer.kind === 'ready') this.#isThere(running);
      else this.#done(running, answer.place, answer.leaves);
    });
    thread.on('error', (error) => {
      running.error = error;
    });
    thread.on('exit', () => {
      this.#ended(running);
    });
  }

  #isThere(running: Running): void {
    running.isReady = true;
    const ready = [...this.#running].filter(({ isReady }) => isReady).length;
    if (!this.#isShort || ready < this.#count) return;
    this.#isShort = false;
    this.#options.logger.info({ threads: ready }, 'all threads that seal objects are there');
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
    // One that could not even begin would not the next moment either.
    if (!isReady) {
      this.#openLater(jobs.size, error);
      return;
    }
    this.#options.logger.warn(
      { objects: jobs.size, ...(error && { err: error }) },
      'a thread that seals objects is replaced',
    );
    this.#open();
  }
}
