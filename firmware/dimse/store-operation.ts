/** One C-STORE at the SCP: from the request to the sink of whoever keeps objects, and back to a status (PS3.4 annex B). */
import { AppError, errorTable } from '../src/errors.ts';
import type { StoreOutcome, StoreSink } from '../src/ports.ts';
import type { Command } from './command.ts';
import type { DataSetFate, DataSetTarget } from './message-reader.ts';
import type { Peer } from './service.ts';
import { status } from './status.ts';

/** What a C-STORE request says about the object that follows. The data set itself has not been looked at. */
export interface StoreRequest extends Peer {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  readonly messageId: number;
  /** Of a C-MOVE elsewhere that led to this C-STORE. */
  readonly moveOriginator?: { readonly aeTitle: string; readonly messageId: number };
}

/** The status and comment for a failure of ours. What is no AppError is unforeseen and tells the peer nothing. */
export function outcomeOfError(error: unknown): StoreOutcome {
  if (error instanceof AppError) return { status: errorTable[error.code].dimse, comment: error.code };
  return { status: status.processingFailure };
}

/** What a response says. @throws AppError DELIVERY_FAILED: without a status it must not pass for success. */
export function outcomeOfResponse({ status: code, errorComment }: Command): StoreOutcome {
  if (code === undefined) throw new AppError('DELIVERY_FAILED', 'the DICOM peer answered without a status');
  return { status: code, ...(errorComment !== undefined && { comment: errorComment }) };
}

export interface StoreEnd {
  readonly respond: (outcome: StoreOutcome) => void;
  /** A failure of the sink, for the log. */
  readonly failed: (error: unknown) => void;
}

export class StoreOperation implements DataSetTarget {
  readonly #end: StoreEnd;
  #sink: StoreSink | undefined;
  /** Set when the object cannot be stored: the rest of its data is discarded, then this is answered. */
  #refusal: StoreOutcome | undefined;
  /** The sink call that runs now. */
  #running: Promise<void> = Promise.resolve();

  private constructor(end: StoreEnd) {
    this.#end = end;
  }

  /** Opens the sink. A failure to open is answered after the data set was discarded. */
  static async open(sink: () => StoreSink | Promise<StoreSink>, end: StoreEnd): Promise<StoreOperation> {
    const operation = new StoreOperation(end);
    try {
      operation.#sink = await sink();
    } catch (error) {
      end.failed(error);
      operation.#refusal = outcomeOfError(error);
    }
    return operation;
  }

  /** Discards the data set, then gives this answer. */
  static refuse(outcome: StoreOutcome, end: StoreEnd): StoreOperation {
    const operation = new StoreOperation(end);
    operation.#refusal = outcome;
    return operation;
  }

  get fate(): DataSetFate {
    return this.#sink === undefined ? 'discarded' : 'kept';
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#sink === undefined) return undefined;
    let written: Promise<void> | undefined;
    try {
      written = this.#sink.write(bytes);
    } catch (error) {
      this.#running = this.#fail(error);
      return this.#running;
    }
    if (written === undefined) return undefined;
    this.#running = written.catch((error: unknown) => this.#fail(error));
    return this.#running;
  }

  end(): Promise<void> | undefined {
    const sink = this.#sink;
    this.#sink = undefined;
    if (sink === undefined) {
      this.#end.respond(this.#refusal ?? { status: status.processingFailure });
      return undefined;
    }
    this.#running = this.#finish(sink);
    return this.#running;
  }

  /** The association ended. Resolves when the sink has nothing more to do; a `finish` that runs is let run. */
  async abort(reason: Error): Promise<void> {
    // The write that runs may be the last one: `finish` then follows it.
    for (let running: Promise<void> | undefined; running !== this.#running;) {
      running = this.#running;
      await running;
    }
    await this.#abortSink(reason);
  }

  async #finish(sink: StoreSink): Promise<void> {
    let outcome: StoreOutcome;
    try {
      outcome = await sink.finish();
    } catch (error) {
      this.#end.failed(error);
      outcome = outcomeOfError(error);
    }
    this.#end.respond(outcome);
  }

  async #fail(error: unknown): Promise<void> {
    this.#end.failed(error);
    this.#refusal = outcomeOfError(error);
    await this.#abortSink(error instanceof Error ? error : new Error(String(error)));
  }

  async #abortSink(reason: Error): Promise<void> {
    const sink = this.#sink;
    this.#sink = undefined;
    if (sink === undefined) return;
    try {
      await sink.abort(reason);
    } catch (error) {
      this.#end.failed(error);
    }
  }
}
