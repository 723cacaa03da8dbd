/** The codec thread as the box talks to it: one question after the other, and an end that is never unheard. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AppError } from '../../src/errors.ts';
import type { Clock } from '../../src/ports.ts';
import { frameMsMax } from './limits.ts';
import type { Answer, Request } from './thread-messages.ts';

const threadFile = new URL(`./thread${extname(import.meta.url)}`, import.meta.url);

export class CodecThread {
  readonly #worker = new Worker(threadFile);
  readonly #clock: Clock;
  #failure: AppError | undefined;
  #question: PromiseWithResolvers<Answer> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#worker.on('message', (answer: Answer) => this.#question?.resolve(answer));
    this.#worker.on('error', (cause) => this.#fail('the codec thread failed', cause));
    this.#worker.on('exit', () => this.#fail('the codec thread ended'));
  }

  tell(request: Exclude<Request, { readonly kind: 'next' }>): void {
    this.#worker.postMessage(request);
  }

  /**
   * The next piece of the outcome. @throws AppError TRANSCODING_FAILED if the thread ended or takes too long; the
   * signal's reason.
   */
  async ask(signal: AbortSignal): Promise<Answer> {
    if (this.#failure !== undefined) throw this.#failure;
    signal.throwIfAborted();
    this.#question = Promise.withResolvers<Answer>();
    const { promise, reject } = this.#question;
    const onAbort = (): void => reject(signal.reason);
    const onLate = (): void => reject(failed(`a frame took longer than ${frameMsMax / 1_000} s`));
    const late = this.#clock.setTimer(frameMsMax, onLate);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      this.#worker.postMessage({ kind: 'next' } satisfies Request);
      return await promise;
    } finally {
      this.#question = undefined;
      late.cancel();
      signal.removeEventListener('abort', onAbort);
    }
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(reason: string, cause?: unknown): void {
    this.#failure ??= failed(reason, cause);
    this.#question?.reject(this.#failure);
  }
}

export function failed(reason: string, cause?: unknown): AppError {
  return new AppError('TRANSCODING_FAILED', `A data set cannot be transcoded: ${reason}.`, { cause });
}
