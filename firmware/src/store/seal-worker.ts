/** A thread that hashes and seals segments in shared memory while their bytes still arrive there. */
import { parentPort, workerData } from 'node:worker_threads';
import { sealStepBytes } from './limits.ts';
import { copyInto, SharedSegment, type SegmentPlace, type SharedSegments } from './segment-memory.ts';
import { SegmentLeaves, SegmentWork, type SegmentKeys } from './segment-work.ts';
import { giveBack } from './spent-bytes.ts';

/** What the thread does with a segment: all of it, or its leaves alone, while somebody else encrypts it. */
export type SealWorkerKeys = SegmentKeys | Pick<SegmentKeys, 'leaves'>;

/** Each names the place of the segment, which says how much of it is there. */
export type SealWorkerRequest =
  | {
      readonly kind: 'begin';
      readonly place: SegmentPlace;
      readonly keys: SealWorkerKeys;
      readonly index: number;
    }
  /** To look again: while it is at a segment, the thread sees by itself what comes of it. */
  | { readonly kind: 'more'; readonly place: SegmentPlace }
  | { readonly kind: 'end'; readonly place: SegmentPlace }
  | { readonly kind: 'forget'; readonly place: SegmentPlace };

export type SealWorkerAnswer =
  /** Once, first: requests will be heeded. */
  | { readonly kind: 'ready' }
  /** To each `end` and each `forget`: the thread is done with this place, and has forgotten its keys. */
  | {
      readonly kind: 'done';
      readonly place: SegmentPlace;
      /** After `end`: where the thread had the key, ciphertext and tag stand where the plaintext was. */
      readonly leaves: Uint8Array;
    };

/** A segment that is here. */
interface Job {
  readonly segment: SharedSegment;
  /** Takes what stands in the segment between these two bytes. */
  take(from: number, end: number): void;
  /** All was taken: the leaves. */
  end(): Uint8Array;
}

/** Puts ciphertext over plaintext, and the tag behind it. */
class SealingJob implements Job {
  readonly segment: SharedSegment;
  readonly #work: SegmentWork;

  constructor(segment: SharedSegment, keys: SegmentKeys, index: number) {
    this.segment = segment;
    this.#work = new SegmentWork(keys, index);
  }

  take(from: number, end: number): void {
    const ciphertext = this.#work.seal(this.segment.bytes.subarray(from, end));
    copyInto(this.segment.bytes, ciphertext, from);
    giveBack([ciphertext]);
  }

  end(): Uint8Array {
    const { tag, leaves } = this.#work.end();
    copyInto(this.segment.bytes, tag, this.segment.filled);
    return leaves;
  }
}

/** Leaves the plaintext as it is. */
class HashingJob implements Job {
  readonly segment: SharedSegment;
  readonly #leaves: SegmentLeaves;

  constructor(segment: SharedSegment, keys: readonly Uint8Array[], index: number) {
    this.segment = segment;
    this.#leaves = new SegmentLeaves(keys, index);
  }

  take(from: number, end: number): void {
    this.#leaves.add(this.segment.bytes.subarray(from, end));
  }

  end(): Uint8Array {
    return this.#leaves.end();
  }
}

const port = parentPort;
if (port === null) throw new Error('seal-worker.ts runs as a worker thread');
const shared = workerData as SharedSegments;
const jobs = new Map<SegmentPlace, Job>();

/** What is there, and what comes meanwhile. */
function work(job: Job): void {
  const { segment } = job;
  for (let from = segment.sealed; from < segment.filled; from = segment.sealed) {
    const end = Math.min(segment.filled, from + sealStepBytes);
    job.take(from, end);
    segment.sealed = end;
  }
}

function jobAt(place: SegmentPlace): Job {
  const job = jobs.get(place);
  if (job === undefined) throw new Error('a segment goes on that did not begin here');
  return job;
}

function begin(place: SegmentPlace, keys: SealWorkerKeys, index: number): Job {
  const segment = new SharedSegment(shared, place);
  const job =
    'seal' in keys ? new SealingJob(segment, keys, index) : new HashingJob(segment, keys.leaves, index);
  jobs.set(place, job);
  return job;
}

function end(place: SegmentPlace): Uint8Array {
  const job = jobAt(place);
  jobs.delete(place);
  work(job);
  return job.end();
}

/** What it throws ends the thread, and with it every object that it has begun. */
function handle(request: SealWorkerRequest): SealWorkerAnswer | undefined {
  const { place } = request;
  switch (request.kind) {
    case 'begin':
      work(begin(place, request.keys, request.index));
      return undefined;
    case 'more':
      work(jobAt(place));
      return undefined;
    case 'end':
      return { kind: 'done', place, leaves: end(place) };
    case 'forget':
      jobs.delete(place);
      return { kind: 'done', place, leaves: new Uint8Array(0) };
  }
}

port.on('message', (request: SealWorkerRequest) => {
  const answer = handle(request);
  if (answer !== undefined) port.postMessage(answer);
});
port.postMessage({ kind: 'ready' } satisfies SealWorkerAnswer);
