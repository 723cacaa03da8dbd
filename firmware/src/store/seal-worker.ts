/** A thread that hashes and seals segments in shared memory while their bytes still arrive there. */
import { parentPort, workerData } from 'node:worker_threads';
import { sealStepBytes } from './limits.ts';
import { bytesAt, copyInto, type SegmentPlace } from './segment-memory.ts';
import { SegmentWork, type SegmentKeys } from './segment-work.ts';
import { giveBack } from './spent-bytes.ts';

/** Each names the place of the segment; `filled` says how many bytes of the plaintext are there. */
export type SealWorkerRequest =
  | {
      readonly kind: 'begin';
      readonly place: SegmentPlace;
      readonly keys: SegmentKeys;
      readonly index: number;
      readonly filled: number;
    }
  | { readonly kind: 'more'; readonly place: SegmentPlace; readonly filled: number }
  | { readonly kind: 'end'; readonly place: SegmentPlace; readonly filled: number }
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
  readonly bytes: Buffer;
  readonly work: SegmentWork;
  /** Bytes that are ciphertext already. */
  sealed: number;
}

const port = parentPort;
if (port === null) throw new Error('seal-worker.ts runs as a worker thread');
const shared = workerData as SharedArrayBuffer;
const jobs = new Map<SegmentPlace, Job>();

function seal(job: Job, filled: number): void {
  while (job.sealed < filled) {
    const end = Math.min(filled, job.sealed + sealStepBytes);
    const ciphertext = job.work.seal(job.bytes.subarray(job.sealed, end));
    copyInto(job.bytes, ciphertext, job.sealed);
    giveBack([ciphertext]);
    job.sealed = end;
  }
}

function jobAt(place: SegmentPlace): Job {
  const job = jobs.get(place);
  if (job === undefined) throw new Error('a segment goes on that did not begin here');
  return job;
}

function end(place: SegmentPlace, filled: number): Uint8Array {
  const job = jobAt(place);
  jobs.delete(place);
  seal(job, filled);
  const { tag, leaves } = job.work.end();
  copyInto(job.bytes, tag, filled);
  return leaves;
}

/** What it throws ends the thread, and with it every object that it has begun. */
function handle(request: SealWorkerRequest): SealWorkerAnswer | undefined {
  const { place } = request;
  switch (request.kind) {
    case 'begin': {
      const work = new SegmentWork(request.keys, request.index);
      const job = { bytes: bytesAt(shared, place), work, sealed: 0 };
      jobs.set(place, job);
      seal(job, request.filled);
      return undefined;
    }
    case 'more':
      seal(jobAt(place), request.filled);
      return undefined;
    case 'end':
      return { kind: 'done', place, leaves: end(place, request.filled) };
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
