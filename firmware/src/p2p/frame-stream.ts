import type { Stream } from '@libp2p/interface';
import { AppError } from '../errors.ts';
import { encodeFrame, FrameDecoder } from './framing.ts';

/**
 * A libp2p stream as frames that are pulled, so that backpressure is real in both directions: the stream is paused
 * whenever nobody waits for data (iterating over it would buffer without bound), and a writer waits for every `drain`
 * (`stream.onDrain()` resolves only once). One reader at a time; writers may overlap.
 */
export class FrameStream {
  readonly #stream: Stream;
  readonly #peer: string;
  readonly #decoder: FrameDecoder;
  readonly #closed = new AbortController();
  #failure: Error | undefined;
  #ended = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriters: (() => void)[] = [];

  /** @param peer whom to name in errors. */
  constructor(stream: Stream, peer: string) {
    this.#stream = stream;
    this.#peer = peer;
    this.#decoder = new FrameDecoder(peer);
    stream.addEventListener('message', (event) => {
      this.#decoder.push(event.data.subarray());
      if (this.#wakeReader === undefined) this.#pause();
      else this.#wake();
    });
    stream.addEventListener('end', () => {
      this.#ended = true;
      this.#wake();
    });
    stream.addEventListener('drain', () => {
      const writers = this.#wakeWriters;
      this.#wakeWriters = [];
      for (const wake of writers) wake();
    });
    stream.addEventListener('close', (event) => {
      if (event.error !== undefined) this.#fail(this.#unreachable('was cut', event.error));
      else this.#finish();
    });
    if (stream.readableEnded) this.#ended = true;
    if (stream.status !== 'open') this.#fail(this.#unreachable('was closed'));
  }

  /** Aborted when the stream is no longer of use to either side. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** True while what was written has not left: a beat need not be added then. */
  get congested(): boolean {
    return this.#stream.writableNeedsDrain;
  }

  /**
   * The next frame, or undefined after an orderly end.
   * @throws AppError PEER_MISBEHAVED for a frame beyond the limit, PEER_UNREACHABLE when the stream breaks, or the
   * reason given to `abort`.
   */
  async read(frameBytesMax: number): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const frame = this.#decoder.next(frameBytesMax);
      if (frame !== undefined) return frame;
      if (this.#ended) {
        if (this.#decoder.bytes === 0) return undefined;
        throw this.#unreachable('ended inside a frame');
      }
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
        this.#resume();
      });
    }
  }

  /**
   * Resolves when the stream takes more. The frame is queued at once, so frames keep the order of the calls.
   * @throws AppError PEER_UNREACHABLE when the stream breaks, or the reason given to `abort`.
   */
  async write(payload: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      this.#stream.send(encodeFrame(payload));
    } catch (cause) {
      throw this.#broken('takes no more data', cause);
    }
    // A drain may let out only a part of what waits, so the state is asked again after each.
    while (this.#stream.writableNeedsDrain) {
      if (this.#closed.signal.aborted) throw this.#broken('was closed');
      await new Promise<void>((resolve) => {
        this.#wakeWriters.push(resolve);
      });
    }
  }

  /** Ends the writing side after everything written has left. @throws AppError PEER_UNREACHABLE. */
  async end(): Promise<void> {
    try {
      await this.#stream.close();
    } catch (cause) {
      throw this.#broken('broke while it was closed', cause);
    }
  }

  /** Cuts the stream in both directions; pending reads and writes reject with the reason. */
  abort(reason: Error): void {
    this.#fail(reason);
    this.#stream.abort(reason);
  }

  #pause(): void {
    if (this.#stream.readStatus === 'readable') this.#stream.pause();
  }

  #resume(): void {
    if (this.#stream.readStatus !== 'paused') {
      // Nothing more can come, and the end was announced while nobody listened.
      if (this.#stream.readStatus !== 'readable' && this.#stream.readableEnded) this.#ended = true;
      if (this.#ended) this.#wake();
      return;
    }
    try {
      this.#stream.resume();
    } catch (cause) {
      // After an orderly close the muxer refuses the window update, yet what was buffered has been handed over.
      if (this.#closed.signal.aborted && this.#failure === undefined) {
        this.#ended = true;
        this.#wake();
      } else {
        this.#fail(this.#unreachable('cannot be read', cause));
      }
    }
  }

  #wake(): void {
    const wake = this.#wakeReader;
    this.#wakeReader = undefined;
    wake?.();
  }

  /** An orderly close may leave frames to read, but nothing can be written any more. */
  #finish(): void {
    this.#ended = this.#stream.readBufferLength === 0;
    this.#closed.abort();
    this.#wake();
    for (const wake of this.#wakeWriters.splice(0)) wake();
  }

  #fail(reason: Error): void {
    this.#failure ??= reason;
    this.#closed.abort(this.#failure);
    this.#wake();
    for (const wake of this.#wakeWriters.splice(0)) wake();
  }

  /** Why it broke first, if that is known. */
  #broken(what: string, cause?: unknown): Error {
    return this.#failure ?? this.#unreachable(what, cause);
  }

  #unreachable(what: string, cause?: unknown): AppError {
    return new AppError('PEER_UNREACHABLE', `the stream with ${this.#peer} ${what}`, { cause });
  }
}
