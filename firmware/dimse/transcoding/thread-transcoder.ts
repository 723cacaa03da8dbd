/**
 * Transcoding on the way out, in a thread of its own, one data set at a time: reception never waits for a codec. A
 * thread that refused, hung or died is ended, and with it whatever a hostile code stream left behind.
 */
import type { Clock, Service, Timer, Transcoder } from '../../src/ports.ts';
import { CodecThread, failed } from './codec-thread.ts';
import { threadIdleMs, transcodedBytesMax } from './limits.ts';
import { targetsOf } from './ways.ts';

export class ThreadTranscoder implements Transcoder, Service {
  readonly #clock: Clock;
  #thread: CodecThread | undefined;
  #idle: Timer | undefined;
  /** Resolves when the data set before the next one is done with. */
  #turn: Promise<void> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    await this.#end();
  }

  targets(transferSyntaxUid: string): readonly string[] {
    return targetsOf(transferSyntaxUid);
  }

  async *transcode(
    dataSet: AsyncIterable<Uint8Array>,
    from: string,
    to: string,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    let isWhole = false;
    try {
      yield* this.#pieces(dataSet, from, to, signal);
      isWhole = true;
    } finally {
      if (isWhole) this.#rest();
      else await this.#end();
      resolve();
    }
  }

  async *#pieces(
    dataSet: AsyncIterable<Uint8Array>,
    from: string,
    to: string,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    this.#idle?.cancel();
    this.#thread ??= new CodecThread(this.#clock);
    const thread = this.#thread;
    let bytes = 0;
    for await (const chunk of dataSet) {
      bytes += chunk.length;
      if (bytes > transcodedBytesMax) throw failed(`it is longer than ${transcodedBytesMax} bytes`);
      thread.tell({ kind: 'chunk', bytes: chunk });
    }
    thread.tell({ kind: 'transcode', from, to });
    for (;;) {
      const answer = await thread.ask(signal);
      if (answer.kind === 'end') return;
      if (answer.kind === 'refused') throw failed(answer.reason);
      yield answer.bytes;
    }
  }

  #rest(): void {
    this.#idle = this.#clock.setTimer(threadIdleMs, () => void this.#end());
  }

  async #end(): Promise<void> {
    this.#idle?.cancel();
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.end();
  }
}
