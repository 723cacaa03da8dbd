/**
 * The log of one study: what `append` acknowledged survives power loss, or damage is noticed. Frames that are appended
 * while others are being flushed share the next flush, so that several associations of a study do not wait in a row.
 */
import { AppError } from '../errors.ts';
import { writeZeros } from './file-bytes.ts';
import type { FileSystem, StoredFile } from './file-system.ts';
import { takesNothing } from './full-disk.ts';
import { aheadBytesMax, aheadBytesMin, aheadFrameBytesMax, groupBytesMax, movedBytesMax } from './limits.ts';
import type { OpenLogs } from './open-logs.ts';
import type { SpareLogs } from './spare-logs.ts';
import {
  assertFits,
  emptyMark,
  encodeFrame,
  frameBytes,
  frameKinds,
  type FrameContent,
} from './study-log-format.ts';
import { mendLog } from './study-log-mending.ts';
import { moveInto } from './study-log-move.ts';

/** Where the log ends; what stands behind it counts for nothing. */
export interface LogPoint {
  readonly end: number;
  /** Up to this byte it is known to be on disk: its end, or where a mark begins that nobody waited for. */
  readonly durable: number;
  readonly chain: Uint8Array;
  /** Records up to there. */
  readonly records: number;
}

/** Discards what a frame stands for, once it is sure that the frame is not in the log. */
export type Abandon = () => Promise<void>;

interface Waiting {
  readonly content: FrameContent;
  readonly abandon: Abandon | undefined;
  readonly resolve: () => void;
  readonly reject: (error: AppError) => void;
}

export interface StudyLogOptions {
  readonly files: FileSystem;
  readonly path: string;
  readonly openLogs: OpenLogs;
  readonly spares: SpareLogs;
  /** Where it stands: of a log that was just made, or as it was read at start. */
  readonly point: LogPoint;
  /** Up to this byte the file is zero behind the end. */
  readonly allocated: number;
}

export class StudyLog {
  readonly #options: StudyLogOptions;
  #file: StoredFile | undefined;
  #point: LogPoint;
  /** Where the next frame will stand, after all that wait. */
  #planned: { offset: number; records: number };
  #waiting: Waiting[] = [];
  #isFlushing = false;
  /** Frames, marks and closing, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #allocated: number;
  #allocating: Promise<void> | undefined;
  /** Zeros were written ahead, and not flushed. */
  #hasNewZeros = false;
  /** The last frame is a mark, or there is none. */
  #isMarked = true;
  /** The disk failed, or may have: something that nobody was told of may stand behind the end. */
  #mustMend: boolean;
  /** Not because it was full or read-only. */
  #isSuspect = false;
  /** What to discard after that: before, the frame that failed may be found at the next start. */
  #abandoned: Abandon[] = [];

  constructor(options: StudyLogOptions) {
    this.#options = options;
    this.#point = options.point;
    this.#planned = plannedAfter(options.point);
    this.#allocated = options.allocated;
    // Of a log that was found at start it is not known what an earlier process could not flush.
    this.#mustMend = options.allocated === 0;
  }

  /** The byte of the file at which the frame that is appended next will begin. */
  get nextOffset(): number {
    return this.#planned.offset;
  }

  /** The number of the record that is appended next; 0 is the first. */
  get nextRecord(): number {
    return this.#planned.records;
  }

  /**
   * On disk when it resolves; frames stand in the order of the calls. After a failed write or flush it is unknown what
   * stands behind the last frame that was acknowledged: the log is cut back to it, at once or as soon as the disk takes
   * that, and only then goes on.
   * `abandon` runs if the frame failed, as soon as it is sure that no start will find it.
   * @throws AppError STORE_FAILED; RangeError for a frame that is too large.
   */
  append(content: FrameContent, abandon?: Abandon): Promise<void> {
    assertFits(content);
    this.#options.spares.noticeUse();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { offset, records } = this.#planned;
    this.#planned = { offset: offset + frameBytes(content), records: records + 1 };
    this.#waiting.push({ content, abandon, resolve, reject });
    if (!this.#isFlushing) {
      this.#isFlushing = true;
      void this.#options.openLogs.use(this, () => this.#inTurn(() => this.#flushAll()));
    }
    return promise;
  }

  /** Marks its end as flushed, gives back the space ahead and closes the file. What is appended later opens it again. */
  rest(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#allocating;
      // Used again meanwhile, or never used.
      if (this.#waiting.length > 0 || this.#file === undefined) return;
      const file = this.#file;
      this.#file = undefined;
      this.#allocated = 0;
      try {
        if (!this.#mustMend) await this.#settle(file);
        await file.close();
      } catch (cause) {
        await this.#failAll(cause, []);
        await Promise.allSettled([file.close()]);
      }
    });
  }

  #inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(run);
    this.#turn = Promise.allSettled([done]);
    return done;
  }

  /** Everything that waits, and what comes meanwhile. Failures are told to those who wait. */
  async #flushAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup();
      try {
        await this.#flush(group);
      } catch (cause) {
        await this.#failAll(cause, group);
        continue;
      }
      for (const { resolve } of group) resolve();
    }
    this.#isFlushing = false;
  }

  #nextGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { content } of this.#waiting) {
      bytes += frameBytes(content);
      count += 1;
      if (bytes >= groupBytesMax) break;
    }
    return this.#waiting.splice(0, count);
  }

  async #flush(group: readonly Waiting[]): Promise<void> {
    let file = await this.#opened();
    const start = this.#point.end;
    const pieces: Uint8Array[] = [];
    const { durable } = this.#point;
    let { end, chain } = this.#point;
    for (const { content } of group) {
      const frame = encodeFrame(content, durable, chain);
      pieces.push(...frame.pieces);
      chain = frame.chain;
      end += frameBytes(content);
    }
    const spare = this.#deservesSpare(group, end) ? this.#options.spares.take() : undefined;
    // Zeros under way would overwrite what reaches beyond those that are there.
    if (end > this.#allocated) await this.#allocating;
    if (spare === undefined) {
      await this.#writeFlushed(file, pieces);
    } else {
      await moveInto(spare, { ...this.#options, file, end: start }, pieces);
      this.#file = file = spare.file;
      this.#allocated = spare.bytes;
    }
    this.#point = { end, durable: end, chain, records: this.#point.records + group.length };
    this.#isMarked = false;
    const last = group.at(-1);
    if (last !== undefined && frameBytes(last.content) <= aheadFrameBytesMax) this.#takeSpace(file);
  }

  /**
   * At its end. If a mark stands there that nobody waited for, it goes to disk too: what follows is found through it. So
   * do new zeros: each flush into them would have to find its place on the disk otherwise.
   */
  async #writeFlushed(file: StoredFile, pieces: readonly Uint8Array[]): Promise<void> {
    const { end, durable } = this.#point;
    if (durable === end && !this.#hasNewZeros) return file.writeThrough(pieces, end);
    this.#hasNewZeros = false;
    await file.write(pieces, end);
    await file.datasync();
  }

  async #opened(): Promise<StoredFile> {
    if (this.#mustMend) await this.#mend();
    if (this.#file !== undefined) return this.#file;
    const { files, path } = this.#options;
    this.#file = await files.open(path, 'r+');
    return this.#file;
  }

  async #mend(): Promise<void> {
    await this.#allocating;
    const file = this.#file;
    this.#file = undefined;
    this.#allocated = 0;
    // What it could not flush is told already.
    await Promise.allSettled([file?.close()]);
    const { files, path } = this.#options;
    await mendLog({ files, path, point: this.#point, isSuspect: this.#isSuspect });
    this.#isSuspect = false;
    this.#point = { ...this.#point, durable: this.#point.end };
    this.#mustMend = false;
    await discardAll(this.#abandoned.splice(0));
  }

  /**
   * Of all that waits, `begun` may be in the log. They are told when the log is cut back and what was abandoned is
   * discarded, as far as the disk lets: some senders try again at once.
   */
  async #failAll(cause: unknown, begun: readonly Waiting[]): Promise<void> {
    const behind = this.#waiting.splice(0);
    const failure = this.#failed(cause);
    this.#planned = plannedAfter(this.#point);
    this.#abandoned.push(...abandonsOf(begun));
    // These were never written.
    await discardAll(abandonsOf(behind));
    // A full disk can cut it; what cannot be made good now is, before the next frame is written.
    if (this.#file !== undefined) await Promise.allSettled([this.#mend()]);
    for (const { reject } of [...begun, ...behind]) reject(failure);
  }

  /** A study of slices is there when the first comes; one of large objects, or of records alone, takes no spare. */
  #deservesSpare(group: readonly Waiting[], end: number): boolean {
    const isSlice = ({ content }: Waiting): boolean =>
      content.kind === frameKinds.object && frameBytes(content) > aheadFrameBytesMax;
    return end > this.#allocated && this.#point.end <= movedBytesMax && group.some(isSlice);
  }

  /** In the background, before it is needed. The next flush brings the zeros to disk with its frames. */
  #takeSpace(file: StoredFile): void {
    const { end } = this.#point;
    const ahead = Math.min(aheadBytesMax, Math.max(aheadBytesMin, end));
    const from = Math.max(this.#allocated, end);
    if (this.#allocating !== undefined || from - end >= ahead / 2) return;
    // Until the zeros are there, frames stand only before them.
    this.#allocated = from;
    this.#allocating = this.#writeZeros(file, from, end + ahead).finally(() => {
      this.#allocating = undefined;
    });
  }

  /** Its failure is told to whoever appends next. */
  async #writeZeros(file: StoredFile, from: number, to: number): Promise<void> {
    try {
      await writeZeros(file, from, to);
      this.#allocated = to;
      this.#hasNewZeros = true;
    } catch (cause) {
      this.#failed(cause);
    }
  }

  /** The mark need not be on disk: without it, the last frames are verified at the next start. */
  async #settle(file: StoredFile): Promise<void> {
    const before = this.#point;
    if (!this.#isMarked) {
      const { pieces, chain } = encodeFrame(emptyMark, before.durable, before.chain);
      // At once, so that what is appended meanwhile stands behind it.
      this.#point = { ...before, end: before.end + frameBytes(emptyMark), chain };
      this.#planned = plannedAfter(this.#point);
      try {
        await file.write(pieces, before.end);
      } catch (error) {
        this.#point = before;
        throw error;
      }
      this.#isMarked = true;
    }
    await file.truncate(this.#point.end);
  }

  /** Nothing that was acknowledged is lost. */
  #failed(cause: unknown): AppError {
    this.#mustMend = true;
    if (!takesNothing(cause)) this.#isSuspect = true;
    return new AppError('STORE_FAILED', `${this.#options.path} cannot be written.`, { cause });
  }
}

function abandonsOf(frames: readonly Waiting[]): Abandon[] {
  return frames.flatMap(({ abandon }) => abandon ?? []);
}

/** What cannot be discarded now is removed at the next start: no record names it. */
async function discardAll(abandons: readonly Abandon[]): Promise<void> {
  await Promise.allSettled(abandons.map((abandon) => abandon()));
}

function plannedAfter({ end, records }: LogPoint): { offset: number; records: number } {
  return { offset: end, records };
}
