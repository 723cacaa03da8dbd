/**
 * The frames of a release: head, manifest, then each chunk of each object. The ledger is asked again every 5 s
 * (PROTOCOL.md, "Freshness"): by a timer, so that a stalled receiver gets no byte after the bound either, and before a
 * frame whose timer is late, so that none leaves when a box wakes that was suspended across a revocation.
 */
import { AppError } from '../errors.ts';
import type { Clock, Timer } from '../ports.ts';
import { studyTop } from '../protocol/commitments.ts';
import { chunkBytes } from '../protocol/limits.ts';
import { encodeManifest } from '../protocol/manifests.ts';
import { KeptStudy } from '../studies/kept-study.ts';
import type { ObjectKept } from '../studies/manifest.ts';
import { committedInstance } from '../studies/study-commitment.ts';
import type { RefusalGround } from './admission.ts';
import { recheckMs } from './limits.ts';
import { encodeStreamHead } from './messages.ts';
import { readAhead } from './read-ahead.ts';

export interface StreamOptions {
  readonly study: KeptStudy;
  /** Objects under the commitment that is released, in its order. */
  readonly objects: readonly ObjectKept[];
  /** As many of them, from the first on, the grantee holds already. */
  readonly skip: number;
  readonly clock: Clock;
  /** Undefined while the ledger permits the stream. */
  readonly groundAgainst: () => RefusalGround | undefined;
  /** Called once when it does not any more: the connection must be cut at once. */
  readonly cut: (ground: RefusalGround) => void;
  /** Called when the last chunk of an object was taken. */
  readonly onObjectSent: () => void;
}

/** @throws AppError NOT_RELEASED when the stream was cut; STORE_CORRUPT if an object is damaged. */
export async function* streamObjects(options: StreamOptions): AsyncIterable<Uint8Array> {
  const watch = new Watch(options);
  try {
    for (const frame of headFrames(options)) {
      watch.assertPermitted();
      yield frame;
    }
    for await (const { segment, isLast } of readAhead(segments(options))) {
      watch.assertPermitted();
      yield segment;
      if (isLast) options.onObjectSent();
    }
    watch.assertPermitted();
  } finally {
    watch.stop();
  }
}

interface ObjectSegment {
  readonly segment: Uint8Array;
  /** Of its object. */
  readonly isLast: boolean;
}

async function* segments({ study, skip, objects }: StreamOptions): AsyncIterable<ObjectSegment> {
  for (const object of objects.slice(skip)) {
    const reader = await study.folder.openObject(KeptStudy.stored(object));
    try {
      for (let index = 0; index < reader.segmentCount; index++) {
        yield { segment: await reader.segment(index), isLast: index === reader.segmentCount - 1 };
      }
    } finally {
      await reader.close();
    }
  }
}

function* headFrames({ study, objects }: StreamOptions): Iterable<Uint8Array> {
  const manifest = encodeManifest({
    top: studyTop(study.created.salt),
    instances: objects.map(committedInstance),
  });
  yield encodeStreamHead(Math.ceil(manifest.length / chunkBytes));
  for (let at = 0; at < manifest.length; at += chunkBytes) yield manifest.subarray(at, at + chunkBytes);
}

class Watch {
  readonly #options: StreamOptions;
  #timer: Timer;
  #lookedAt = -Infinity;
  #ground: RefusalGround | undefined;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#timer = this.#set();
  }

  assertPermitted(): void {
    if (this.#options.clock.now() - this.#lookedAt >= recheckMs) this.#look();
    if (this.#ground !== undefined)
      throw new AppError('NOT_RELEASED', `The stream was cut: ${this.#ground}.`);
  }

  stop(): void {
    this.#timer.cancel();
  }

  #look(): void {
    if (this.#ground !== undefined) return;
    const { clock, groundAgainst, cut } = this.#options;
    this.#lookedAt = clock.now();
    this.#ground = groundAgainst();
    if (this.#ground !== undefined) cut(this.#ground);
  }

  #set(): Timer {
    return this.#options.clock.setTimer(recheckMs, () => {
      this.#look();
      if (this.#ground === undefined) this.#timer = this.#set();
    });
  }
}
