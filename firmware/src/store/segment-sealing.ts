/**
 * Segments of objects on their way to the disk: gathered in shared memory and hashed and sealed there by a thread while
 * more of them arrives; on the event loop the small ones, the first segment of a sender that is alone, and all for which
 * there is no place or no thread.
 */
import { sealedOnLoopBytesMax, sealMessageBytesMin } from './limits.ts';
import { tagBytes } from './object-seal.ts';
import { copyInto, SharedSegment, type SegmentMemory, type SegmentPlace } from './segment-memory.ts';
import type { SealJob, SealThreads } from './seal-threads.ts';
import { SegmentCipher, SegmentWork, type SegmentKeys, type SegmentSeal } from './segment-work.ts';
import { giveBack } from './spent-bytes.ts';

export interface SealedSegment {
  /** Ciphertext and tag, to be written one after the other. */
  readonly pieces: readonly Uint8Array[];
  /** In memory of its own. */
  readonly tag: Uint8Array;
  /** Of the chunk of the commitment, 32 bytes under each of the keys, joined. */
  readonly leaves: Uint8Array;
  /** Gives back the memory of the pieces: they are written, or will not be. Called once. */
  readonly release: () => void;
}

/** A segment as it comes. */
export interface OpenSegment {
  /** The bytes are used before it returns. */
  write(bytes: Uint8Array): void;
  /** Nothing more is written. @throws AppError STORE_FAILED, as a rejection. */
  end(): SealedSegment | Promise<SealedSegment>;
  /** Gives it up, unless it was ended. */
  abort(): void;
}

export interface SealingOptions {
  readonly memory: SegmentMemory;
  readonly threads: SealThreads;
}

/** Opens segment `index` of the object that has these keys. */
export type OpenSegmentOf = (keys: SegmentKeys, index: number) => OpenSegment;

/** All on the event loop. */
export const sealOnLoop: OpenSegmentOf = (keys, index) => new StreamedSegment(keys, index);

export function sealOnThreads({ memory, threads }: SealingOptions): OpenSegmentOf {
  return (keys, index) => {
    const place = memory.take();
    if (place === undefined) return sealOnLoop(keys, index);
    return new GatheredSegment(memory, threads, place, keys, index);
  };
}

/** Sealed on the event loop as its bytes come. */
class StreamedSegment implements OpenSegment {
  readonly #work: SegmentWork;
  readonly #pieces: Uint8Array[] = [];

  constructor(keys: SegmentKeys, index: number) {
    this.#work = new SegmentWork(keys, index);
  }

  write(bytes: Uint8Array): void {
    this.#pieces.push(this.#work.seal(bytes));
  }

  end(): SealedSegment {
    return sealedOf(this.#work, this.#pieces.splice(0));
  }

  abort(): void {
    giveBack(this.#pieces);
  }
}

/** Gathered in a place of the shared memory. */
class GatheredSegment implements OpenSegment {
  readonly #memory: SegmentMemory;
  readonly #threads: SealThreads;
  readonly #place: SegmentPlace;
  readonly #keys: SegmentKeys;
  readonly #index: number;
  readonly #segment: SharedSegment;
  #filled = 0;
  /** Bytes that were there when the thread was told. */
  #told = 0;
  #job: SealJob | undefined;
  /** Does all of it on the event loop. */
  #streamed: StreamedSegment | undefined;
  /** Encrypts here what the thread hashes at the same time; undefined where the thread does both. */
  #cipher: SegmentCipher | undefined;
  readonly #ciphertext: Uint8Array[] = [];
  #isOver = false;

  constructor(
    memory: SegmentMemory,
    threads: SealThreads,
    place: SegmentPlace,
    keys: SegmentKeys,
    index: number,
  ) {
    this.#memory = memory;
    this.#threads = threads;
    this.#place = place;
    this.#keys = keys;
    this.#index = index;
    this.#segment = new SharedSegment(memory.shared, place);
  }

  write(bytes: Uint8Array): void {
    if (this.#streamed !== undefined) {
      this.#streamed.write(bytes);
      return;
    }
    copyInto(this.#segment.bytes, bytes, this.#filled);
    this.#filled += bytes.length;
    if (this.#job === undefined) {
      if (this.#filled > sealedOnLoopBytesMax) this.#begin();
      return;
    }
    this.#segment.filled = this.#filled;
    if (this.#cipher !== undefined) this.#ciphertext.push(this.#cipher.seal(bytes));
    if (this.#filled - this.#told < sealMessageBytesMin || this.#segment.sealed < this.#told) return;
    this.#job.more();
    this.#told = this.#filled;
  }

  end(): SealedSegment | Promise<SealedSegment> {
    this.#isOver = true;
    if (this.#job !== undefined) return this.#sealed(this.#job);
    const sealed = this.#sealsHere().end();
    this.#memory.giveBack(this.#place);
    return sealed;
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    giveBack(this.#ciphertext);
    this.#streamed?.abort();
    if (this.#job === undefined) this.#memory.giveBack(this.#place);
    else void this.#job.forget().then(() => this.#memory.giveBack(this.#place));
  }

  /** It is longer than what is quickly sealed here. */
  #begin(): void {
    // While nobody else sends, the event loop waits for this object as its sender does, so it takes a part: all of what
    // may be a whole object, since no thread has then to be woken and waited for. Otherwise it has others to read from.
    const isAlone = this.#memory.taken === 1;
    if (isAlone && this.#index === 0) {
      this.#sealsHere();
      return;
    }
    this.#segment.sealed = 0;
    this.#segment.filled = this.#filled;
    const { seal, leaves } = this.#keys;
    this.#job = this.#threads.begin(this.#place, isAlone ? { leaves } : { seal, leaves }, this.#index);
    this.#told = this.#filled;
    if (this.#job === undefined || !isAlone) return;
    this.#cipher = new SegmentCipher(seal, this.#index);
    this.#ciphertext.push(this.#cipher.seal(this.#segment.bytes.subarray(0, this.#filled)));
  }

  /** From its first byte on. */
  #sealsHere(): StreamedSegment {
    if (this.#streamed !== undefined) return this.#streamed;
    this.#streamed = new StreamedSegment(this.#keys, this.#index);
    this.#streamed.write(this.#segment.bytes.subarray(0, this.#filled));
    return this.#streamed;
  }

  async #sealed(job: SealJob): Promise<SealedSegment> {
    if (this.#cipher !== undefined) return this.#hashed(job, this.#cipher);
    const release = (): void => {
      this.#memory.giveBack(this.#place);
    };
    try {
      const leaves = await job.end();
      const sealed = this.#segment.bytes.subarray(0, this.#filled + tagBytes);
      return { pieces: [sealed], tag: new Uint8Array(sealed.subarray(-tagBytes)), leaves, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** It is encrypted already. */
  async #hashed(job: SealJob, cipher: SegmentCipher): Promise<SealedSegment> {
    const ciphertext = this.#ciphertext;
    try {
      const leaves = await job.end();
      return sealedSegment(ciphertext, { tag: cipher.end(), leaves });
    } catch (error) {
      giveBack(ciphertext);
      throw error;
    } finally {
      this.#memory.giveBack(this.#place);
    }
  }
}

function sealedOf(work: SegmentWork, ciphertext: readonly Uint8Array[]): SealedSegment {
  return sealedSegment(ciphertext, work.end());
}

function sealedSegment(ciphertext: readonly Uint8Array[], { tag, leaves }: SegmentSeal): SealedSegment {
  const release = (): void => {
    giveBack(ciphertext);
  };
  return { pieces: [...ciphertext, tag], tag: new Uint8Array(tag), leaves, release };
}
