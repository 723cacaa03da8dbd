/** Threads that seal, for one test. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { openSealWorker, SealThreads, type SealThread } from '../../firmware/src/store/seal-threads.ts';
import type { SealWorkerAnswer, SealWorkerRequest } from '../../firmware/src/store/seal-worker.ts';
import { SegmentMemory, type SharedSegments } from '../../firmware/src/store/segment-memory.ts';
import { sealOnThreads, type OpenSegmentOf } from '../../firmware/src/store/segment-sealing.ts';
import { ManualClock } from './manual-clock.ts';
import { RecordingLogger } from './recording-logger.ts';

export interface SealThreadsScene {
  readonly memory: SegmentMemory;
  readonly threads: SealThreads;
  readonly openSegment: OpenSegmentOf;
  readonly clock: ManualClock;
  readonly logger: RecordingLogger;
  /** All threads that were begun, the first one first. */
  readonly begun: readonly SealThread[];
  /** What the threads were told. */
  readonly requests: readonly SealWorkerRequest[];
  /** Resolves when so many threads have said, one after the other, that they are there. */
  readonly ready: (count: number) => Promise<void>;
}

/** One thread, unless `count` says otherwise. At the end of the test nothing may be left in its memory. */
export function sealThreadsScene(
  t: TestContext,
  open: (shared: SharedSegments) => SealThread = openSealWorker,
  count = 1,
): SealThreadsScene {
  const memory = new SegmentMemory();
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const begun: SealThread[] = [];
  const requests: SealWorkerRequest[] = [];
  let readyCount = 0;
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const openThread = (shared: SharedSegments): SealThread => {
    const thread = open(shared);
    const post = thread.postMessage.bind(thread);
    thread.postMessage = (request) => {
      requests.push(request);
      post(request);
    };
    thread.on('message', (answer: SealWorkerAnswer) => {
      if (answer.kind !== 'ready') return;
      readyCount += 1;
      for (const each of waiting) if (each.count <= readyCount) each.resolve();
    });
    begun.push(thread);
    return thread;
  };
  const threads = new SealThreads({ memory, clock, logger, openThread, count });
  t.after(async () => {
    await threads.stop();
    assert.equal(memory.taken, 0, 'places of the shared memory were not given back');
  });
  const ready = (wanted: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push({ count: wanted, resolve });
    if (wanted <= readyCount) resolve();
    // A thread that nobody waits for does not keep the test up.
    const kept = setInterval(() => undefined, 1_000);
    return promise.finally(() => {
      clearInterval(kept);
    });
  };
  return {
    memory,
    threads,
    openSegment: sealOnThreads({ memory, threads }),
    clock,
    logger,
    begun,
    requests,
    ready,
  };
}

/** When it resolves, a thread waits for work. */
export async function openSealThreads(t: TestContext): Promise<OpenSegmentOf> {
  const { openSegment, ready } = sealThreadsScene(t);
  await ready(1);
  return openSegment;
}
