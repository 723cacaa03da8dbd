/**
 * One long log in pieces, so that the oldest can be dropped whole and opening it reads the newest alone. Each piece is a
 * log of its own under the index of its first record; the pieces follow each other without a gap, in every state that a
 * crash can leave.
 */
import { AppError } from '../errors.ts';
import type { LogFolder, PrunableLog, SizedLog } from '../ports.ts';
import { openSegmentsMax, segmentBytesMax } from './limits.ts';

export class SegmentedLog implements PrunableLog {
  readonly #logs: LogFolder;
  readonly #segmentBytesMax: number;
  /** Index of the first record of each piece, ascending; never empty. */
  #firsts: number[];
  /** The newest piece: the one that grows. */
  #last: SizedLog;
  /** Older ones that were read lately, by the index of their first record, in the order of last use. */
  readonly #opened = new Map<number, Promise<SizedLog>>();
  /** What changes the pieces, one after the other. */
  #changes: Promise<unknown> = Promise.resolve();

  private constructor(logs: LogFolder, bytesMax: number, firsts: number[], last: SizedLog) {
    this.#logs = logs;
    this.#segmentBytesMax = bytesMax;
    this.#firsts = firsts;
    this.#last = last;
  }

  /**
   * Reads and checks the newest piece; the others when they are read.
   * @throws AppError STORE_CORRUPT, STORE_FAILED.
   */
  static async open(logs: LogFolder, bytesMax = segmentBytesMax): Promise<SegmentedLog> {
    const numbers = await logs.numbers();
    const firsts = numbers.length === 0 ? [0] : [...numbers];
    return new SegmentedLog(logs, bytesMax, firsts, await logs.open(firsts.at(-1) ?? 0));
  }

  get first(): number {
    return this.#firsts[0] ?? 0;
  }

  get length(): number {
    return this.#lastFirst + this.#last.length;
  }

  bytes(): Promise<number> {
    return this.#logs.bytes();
  }

  append(records: readonly Uint8Array[]): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#last.bytes >= this.#segmentBytesMax && this.#last.length > 0) await this.#begin(this.length);
      await this.#last.append(records);
    });
  }

  async *read(): AsyncIterable<Uint8Array> {
    for (let index = this.first; index < this.length; index++) yield await this.at(index);
  }

  async at(index: number): Promise<Uint8Array> {
    const first = this.#firsts.findLast((candidate) => candidate <= index);
    if (first === undefined || index >= this.length) throw new RangeError(`no record ${index} in this log`);
    if (first === this.#lastFirst) return await this.#last.at(index - first);
    return await (await this.#older(first)).at(index - first);
  }

  dropBefore(index: number): Promise<void> {
    return this.#inTurn(async () => {
      for (;;) {
        const [first, next] = this.#firsts;
        if (first === undefined || next === undefined || next > index) return;
        await this.#closeOlder(first);
        await this.#logs.remove(first);
        this.#firsts.shift();
      }
    });
  }

  restartAt(index: number): Promise<void> {
    return this.#inTurn(async () => {
      for (const first of [...this.#opened.keys()]) await this.#closeOlder(first);
      await this.#last.close();
      // From the oldest on, so that a crash leaves no gap.
      for (const first of this.#firsts) await this.#logs.remove(first);
      this.#firsts = [index];
      this.#last = await this.#logs.open(index);
    });
  }

  async close(): Promise<void> {
    await this.#inTurn(async () => {
      for (const first of [...this.#opened.keys()]) await this.#closeOlder(first);
      await this.#last.close();
    });
  }

  get #lastFirst(): number {
    return this.#firsts.at(-1) ?? 0;
  }

  async #begin(index: number): Promise<void> {
    const last = await this.#logs.open(index);
    await this.#last.close();
    this.#last = last;
    this.#firsts.push(index);
  }

  async #older(first: number): Promise<SizedLog> {
    const known = this.#opened.get(first);
    const log = known ?? this.#openOlder(first);
    this.#opened.delete(first);
    this.#opened.set(first, log);
    for (const oldest of this.#opened.keys()) {
      if (this.#opened.size <= openSegmentsMax) break;
      await this.#closeOlder(oldest);
    }
    return await log;
  }

  async #openOlder(first: number): Promise<SizedLog> {
    const next = this.#firsts.find((candidate) => candidate > first) ?? this.length;
    try {
      const log = await this.#logs.open(first);
      if (first + log.length === next) return log;
      await log.close();
      throw new AppError(
        'STORE_CORRUPT',
        `records ${first + log.length} to ${next - 1} are missing from a log`,
      );
    } catch (error) {
      this.#opened.delete(first);
      throw error;
    }
  }

  async #closeOlder(first: number): Promise<void> {
    const log = this.#opened.get(first);
    this.#opened.delete(first);
    if (log !== undefined) await (await log).close();
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const done = this.#changes.then(change);
    // Who asked hears of the failure; the next one finds out by itself.
    this.#changes = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }
}
