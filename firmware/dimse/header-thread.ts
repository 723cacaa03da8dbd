/**
 * The worker thread for long headers, from outside: one piece of one header at a time, each bounded in time. A thread
 * that does not answer in time, or ends, is replaced; the header that it had is given up, the others begin anew there.
 */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Clock, Logger, Timer } from '../src/ports.ts';
import type { ScanResult } from './header-scanner.ts';
import type { HeaderWorkerAnswer, HeaderWorkerRequest } from './header-worker.ts';
import { headerScanMsMax, headerWorkerHeapMiBMax } from './limits.ts';

/** What is asked of a thread; a test may have its own. */
export interface Thread {
  postMessage(request: HeaderWorkerRequest): void;
  on(event: 'message', listener: (answer: HeaderWorkerAnswer) => void): unknown;
  on(event: 'online', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'exit', listener: () => void): unknown;
  terminate(): Promise<unknown>;
}

export interface HeaderThreadOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly openThread?: () => Thread;
}

/** A header in the thread: all of its bytes so far, so that it can begin anew in another one. */
export interface ThreadScan {
  readonly transferSyntaxUid: string;
  readonly chunks: readonly Uint8Array[];
}

interface Waiting {
  readonly scan: ThreadScan;
  readonly atEnd: boolean;
  readonly resolve: (result: ScanResult) => void;
  readonly reject: (error: Error) => void;
}

interface Known {
  readonly id: number;
  /** Chunks that the thread has. */
  sent: number;
}

interface Running {
  readonly thread: Thread;
  /** Of the scans that the thread knows. */
  readonly known: Map<ThreadScan, Known>;
  online: boolean;
}

const file = fileURLToPath(new URL(`./header-worker${extname(import.meta.url)}`, import.meta.url));

function openWorker(): Thread {
  const worker = new Worker(file, {
    resourceLimits: { maxOldGenerationSizeMb: headerWorkerHeapMiBMax },
    name: 'headers',
  });
  // It waits for work and must not keep the program up.
  worker.unref();
  return worker;
}

export class HeaderThread {
  readonly #options: HeaderThreadOptions;
  /** At most one for each association: its sender is held back until it is answered. */
  readonly #waiting: Waiting[] = [];
  #running: Running | undefined;
  #current: Waiting | undefined;
  #timer: Timer | undefined;
  #ids = 0;

  constructor(options: HeaderThreadOptions) {
    this.#options = options;
  }

  /** What the chunks that the thread does not have yet lead to. @throws Error if no thread can be started. */
  scan(scan: ThreadScan, atEnd: boolean): Promise<ScanResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ scan, atEnd, resolve, reject });
      this.#next();
    });
  }

  forget(scan: ThreadScan): void {
    const known = this.#running?.known.get(scan);
    if (this.#running === undefined || known === undefined) return;
    this.#running.known.delete(scan);
    this.#running.thread.postMessage({ kind: 'forget', id: known.id });
  }

  /** Ends the thread; what waits is given up. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#giveUp('the box stops');
    for (const { resolve } of this.#waiting.splice(0))
      resolve({ kind: 'malformed', reason: 'the box stops' });
    await running?.thread.terminate();
  }

  #next(): void {
    if (this.#current !== undefined) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#current = next;
    let running: Running;
    try {
      running = this.#running ??= this.#open();
    } catch (error) {
      // Where the machine has no thread to give, the constructor throws.
      this.#unstarted(error);
      return;
    }
    const { scan, atEnd } = next;
    const known = running.known.get(scan);
    const { id, sent } = known ?? { id: ++this.#ids, sent: 0 };
    running.known.set(scan, { id, sent: scan.chunks.length });
    this.#timer = this.#options.clock.setTimer(headerScanMsMax, () => {
      this.#replace(running, `the header cannot be read within ${headerScanMsMax} ms`);
    });
    running.thread.postMessage({
      kind: 'scan',
      id,
      ...(known === undefined && { transferSyntaxUid: scan.transferSyntaxUid }),
      chunks: scan.chunks.slice(sent),
      atEnd,
    });
  }

  #open(): Running {
    const { openThread = openWorker } = this.#options;
    const thread = openThread();
    const running: Running = { thread, known: new Map(), online: false };
    thread.on('online', () => {
      running.online = true;
    });
    thread.on('message', (result) => {
      if (running === this.#running) this.#answered(result);
    });
    thread.on('error', (error) => {
      this.#ended(running, error);
    });
    thread.on('exit', () => {
      this.#ended(running, new Error('it ended by itself'));
    });
    return running;
  }

  #answered(result: ScanResult): void {
    const current = this.#take();
    if (current === undefined) return;
    if (result.kind !== 'more') this.#running?.known.delete(current.scan);
    current.resolve(result);
    this.#next();
  }

  #ended(running: Running, error: Error): void {
    if (running !== this.#running) return;
    if (running.online) {
      this.#replace(running, 'the header is more than its reader can bear', error);
      return;
    }
    this.#running = undefined;
    this.#unstarted(error);
  }

  /** Not the header's fault: there are no threads or there is no memory. */
  #unstarted(cause: unknown): void {
    this.#take()?.reject(new Error('the thread that reads headers cannot be started', { cause }));
    this.#next();
  }

  #replace(running: Running, reason: string, error?: Error): void {
    if (running !== this.#running) return;
    this.#options.logger.warn(
      { reason, ...(error && { err: error }) },
      'the thread that reads headers is replaced',
    );
    this.#giveUp(reason);
    running.thread.terminate().catch((error: unknown) => {
      this.#options.logger.error({ err: error }, 'a thread that read headers does not end');
    });
    this.#next();
  }

  #giveUp(reason: string): void {
    this.#running = undefined;
    this.#take()?.resolve({ kind: 'malformed', reason });
  }

  #take(): Waiting | undefined {
    const current = this.#current;
    this.#current = undefined;
    this.#timer?.cancel();
    return current;
  }
}
