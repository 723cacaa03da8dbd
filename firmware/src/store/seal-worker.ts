/** A thread that hashes and seals segments in shared memory while their bytes still arrive there. */
import { parentPort, workerData } from 'node:worker_threads';
import { sealStepBytes } from './limits.ts';
import { copyInto, SharedSegment, type SegmentPlace, type SharedSegments } from './segment-memory.ts';
import { SegmentWork, type SegmentKeys } from './segment-work.ts';
import { giveBack } from './spent-bytes.ts';

/** Each names the place of the segment, which says how much of it is there. */
export type SealWorkerRequest =
  | {
      readonly kind: 'begin';
      readonly place: SegmentPlace;
      readonly keys: SegmentKeys;
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
      /** After `end`: ciphertext and tag stand where the plaintext was. */
      readonly leaves: Uint8Array;
    };

interface Job {
  readonly segment: SharedSegment;
  readonly work: SegmentWork;
}

const port = parentPort;
if (port === null) throw new Error('seal-worker.ts runs as a worker thread');
const shared = workerData as SharedSegments;
const jobs = new Map<SegmentPlace, Job>();

/** What is there, and what comes meanwhile. */
function seal({ segment, work }: Job): void {
  for (let from = segment.sealed; from < segment.filled; from = segment.sealed) {
    const end = Math.min(segment.filled, from + sealStepBytes);
    const ciphertext = work.seal(segment.bytes.subarray(from, end));
    copyInto(segment.bytes, ciphertext, from);
    giveBack([ciphertext]);
    segment.sealed = end;
  }
}

function begin(place: SegmentPlace, keys: SegmentKeys, index: number): Job {
  const job = { segment: new SharedSegment(shared, place), work: new SegmentWork(keys, index) };
  jobs.set(place, job);
  return job;
}

function jobAt(place: SegmentPlace): Job {
  const job = jobs.get(place);
  if (job === undefined) throw new Error('a segment goes on that did not begin here');
  return job;
}

function end(place: SegmentPlace): Uint8Array {
  const job = jobAt(place);
  jobs.delete(place);
  seal(job);
  const { tag, leaves } = job.work.end();
  copyInto(job.segment.bytes, tag, job.segment.filled);
  return leaves;
}

/** What it throws ends the thread, and with it every object that it has begun. */
function handle(request: SealWorkerRequest): SealWorkerAnswer | undefined {
  const { place } = request;
  switch (request.kind) {
    case 'begin':
      seal(begin(place, request.keys, request.index));
      return undefined;
    case 'more':
      seal(jobAt(place));
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
