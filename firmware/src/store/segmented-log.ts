/**
 * One long log in pieces, so that the oldest can be dropped whole and opening it reads the newest alone. Each piece is a
 * log of its own under the index of its first record; the pieces follow each other without a gap, in every state that a
 * crash can leave. Records are read while pieces come and go: a piece is closed once its readers are done.
 */
import { AppError } from '../errors.ts';
import type { LogFolder, PrunableLog, SizedLog } from '../ports.ts';
import { openSegmentsMax, segmentBytesMax } from './limits.ts';
import { ReadPiece } from './read-piece.ts';

export class SegmentedLog implements PrunableLog {
  readonly #logs: LogFolder;
  readonly #segmentBytesMax: number;
  /** Index of the first record of each piece, ascending; never empty. */
  #firsts: number[];
  /** The newest piece, as it is read. */
  #last: ReadPiece;
  /** The same, as it grows; undefined until it is begun. */
  #growing: SizedLog | undefined;
  /** Older ones that were read lately, by the index of their first record, in the order of last use. */
  readonly #opened = new Map<number, ReadPiece>();
  /** What changes the pieces, one after the other. */
  #changes: Promise<unknown> = Promise.resolve();

  private constructor(logs: LogFolder, bytesMax: number, firsts: number[], last: SizedLog) {
    this.#logs = logs;
    this.#segmentBytesMax = bytesMax;
    this.#firsts = firsts;
    this.#last = new ReadPiece(Promise.resolve(last));
    this.#growing = last;
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
    return this.#lastFirst + (this.#growing?.length ?? 0);
  }

  bytes(): Promise<number> {
    return this.#inTurn(() => this.#logs.bytes());
  }

  append(records: readonly Uint8Array[]): Promise<void> {
    return this.#inTurn(async () => {
      const { bytes, length } = await this.#last.log;
      if (bytes >= this.#segmentBytesMax && length > 0) await this.#begin(this.length);
      await (await this.#last.log).append(records);
    });
  }

  async *read(): AsyncIterable<Uint8Array> {
    for (let index = this.first; index < this.length; index++) yield await this.at(index);
  }

  async at(index: number): Promise<Uint8Array> {
    const first = this.#firsts.findLast((candidate) => candidate <= index);
    if (first === undefined || index >= this.length) throw new RangeError(`no record ${index} in this log`);
    if (first === this.#lastFirst) return await this.#last.at(index - first);
    const [record] = await Promise.all([this.#older(first).at(index - first), this.#closeLeastUsed()]);
    return record;
  }

  dropBefore(index: number): Promise<void> {
    return this.#inTurn(async () => {
      for (;;) {
        const [first, next] = this.#firsts;
        if (first === undefined || next === undefined || next > index) return;
        this.#firsts.shift();
        await this.#closeOlder(first);
        await this.#logs.remove(first);
      }
    });
  }

  restartAt(index: number): Promise<void> {
    return this.#inTurn(async () => {
      const begun = this.#replaceAll(index, this.#firsts, [...this.#opened.values(), this.#last]);
      this.#firsts = [index];
      this.#opened.clear();
      this.#last = new ReadPiece(begun);
      this.#growing = undefined;
      this.#growing = await begun;
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
    const begun = await this.#logs.open(index);
    const full = this.#last;
    this.#firsts.push(index);
    this.#last = new ReadPiece(Promise.resolve(begun));
    this.#growing = begun;
    await full.close();
  }

  async #replaceAll(
    index: number,
    firsts: readonly number[],
    pieces: readonly ReadPiece[],
  ): Promise<SizedLog> {
    for (const piece of pieces) await piece.close();
    // From the oldest on, so that a crash leaves no gap.
    for (const first of firsts) await this.#logs.remove(first);
    return await this.#logs.open(index);
  }

  #older(first: number): ReadPiece {
    const piece = this.#opened.get(first) ?? new ReadPiece(this.#openOlder(first));
    this.#opened.delete(first);
    this.#opened.set(first, piece);
    return piece;
  }

  async #closeLeastUsed(): Promise<void> {
    const spare = [...this.#opened.keys()].slice(0, Math.max(0, this.#opened.size - openSegmentsMax));
    for (const first of spare) await this.#closeOlder(first);
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
    const piece = this.#opened.get(first);
    this.#opened.delete(first);
    await piece?.close();
  }

  #inTurn<Result>(change: () => Promise<Result>): Promise<Result> {
    const done = this.#changes.then(change);
    // Who asked hears of the failure; the next one finds out by itself.
    this.#changes = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }
}
