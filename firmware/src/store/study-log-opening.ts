/** A study's log as it is found at start: read from its first frame on, verified, and freed of what was never finished. */
import { toHex } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import { isZero, readAt } from './file-bytes.ts';
import type { FileSystem, StoredFile } from './file-system.ts';
import type { ReadMemory } from './read-memory.ts';
import { aheadBytesMax, logReadBytes, smallFrameBytesMax, smallFramesReadBytes } from './limits.ts';
import {
  emptyMark,
  encodeFrame,
  endMark,
  firstChain,
  followingChain,
  frameBytes,
  frameHeadBytes,
  frameKinds,
  logHeaderBytes,
  parseHead,
  parseLogHeader,
  type FrameHead,
} from './study-log-format.ts';
import { judgeTail, tailBytesMax } from './study-log-tail.ts';
import type { LogPoint } from './study-log.ts';

export interface FoundLog {
  readonly point: LogPoint;
  /** Names of the files that records are of. */
  readonly fileRefs: ReadonlySet<string>;
}

/** What the owner of the study's key makes of the frames. */
export interface FrameReader {
  /** The record of this number; 0 is the first. @throws AppError STORE_CORRUPT. */
  readonly takeRecord: (number: number, sealed: Uint8Array) => void;
  /** Whether a sealed object is whole. */
  readonly isWhole: (sealedObject: Uint8Array) => boolean;
}

interface FoundFrame extends FrameHead {
  readonly before: LogPoint;
  readonly after: LogPoint;
  readonly record: Uint8Array;
}

/** @throws AppError STORE_CORRUPT, naming file and byte, with nothing changed; STORE_FAILED if the disk fails. */
export async function openStudyLog(
  files: FileSystem,
  path: string,
  studyRef: string,
  reader: FrameReader,
  memory: ReadMemory,
): Promise<FoundLog> {
  let file: StoredFile | undefined;
  try {
    file = await files.open(path, 'r+');
    return await new Opening(file, await file.size(), path, studyRef, reader, memory).run();
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('STORE_FAILED', `${path} cannot be read or made good.`, { cause });
  } finally {
    await file?.close();
  }
}

class Opening {
  readonly #file: StoredFile;
  readonly #size: number;
  readonly #path: string;
  readonly #studyRef: string;
  readonly #reader: FrameReader;
  readonly #fileRefs = new Set<string>();
  #preparedBytes = 0;
  /** What was read last, within `#memory`: frames follow each other, and head and record are much smaller than this. */
  #window: { readonly offset: number; readonly bytes: Uint8Array } = { offset: 0, bytes: new Uint8Array(0) };
  readonly #memory: ReadMemory;
  /** Of the frame before. */
  #frameBytes = 0;

  constructor(
    file: StoredFile,
    size: number,
    path: string,
    studyRef: string,
    reader: FrameReader,
    memory: ReadMemory,
  ) {
    this.#memory = memory;
    this.#file = file;
    this.#size = size;
    this.#path = path;
    this.#studyRef = studyRef;
    this.#reader = reader;
  }

  async run(): Promise<FoundLog> {
    const header = parseLogHeader((await this.#read(0, logHeaderBytes)) ?? new Uint8Array(0));
    if (header?.studyRef !== this.#studyRef)
      throw this.#damaged(0, 'it does not begin as the log of this study');
    this.#preparedBytes = header.preparedBytes;
    const read = await this.#readFrames();
    const { point, unconfirmed } = await this.#withoutTorn(read);
    for (const frame of unconfirmed) await this.#take(frame);
    return { point: await this.#makeGood(point, unconfirmed), fileRefs: this.#fileRefs };
  }

  /** All frames whose head and record are intact. Those of which a later one says that they were flushed are taken. */
  async #readFrames(): Promise<{ point: LogPoint; unconfirmed: FoundFrame[] }> {
    const start = logHeaderBytes;
    let point: LogPoint = { end: start, durable: start, chain: firstChain(this.#studyRef), records: 0 };
    let unconfirmed: FoundFrame[] = [];
    for (;;) {
      const frame = await this.#frameAfter(point);
      if (frame === undefined) return { point, unconfirmed };
      const confirmed = unconfirmed.filter(({ after }) => after.end <= frame.durable);
      for (const each of confirmed) await this.#take(each);
      unconfirmed = unconfirmed.slice(confirmed.length);
      if (frame.kind !== frameKinds.mark) unconfirmed.push(frame);
      point = frame.after;
    }
  }

  /** A frame that was being flushed may lack its data: it and what follows it were never acknowledged. */
  async #withoutTorn(read: {
    readonly point: LogPoint;
    readonly unconfirmed: readonly FoundFrame[];
  }): Promise<{ point: LogPoint; unconfirmed: readonly FoundFrame[] }> {
    for (const [index, frame] of read.unconfirmed.entries()) {
      if (await this.#hasItsData(frame)) continue;
      await this.#assertTorn(frame.before.end);
      return { point: frame.before, unconfirmed: read.unconfirmed.slice(0, index) };
    }
    await this.#assertTorn(read.point.end);
    return read;
  }

  /** @throws AppError STORE_CORRUPT if what follows had been acknowledged. */
  async #assertTorn(offset: number): Promise<void> {
    const tailEnd = Math.min(this.#size, offset + tailBytesMax);
    // Space is taken ahead in steps that are small, but for the file that was prepared and never outgrown.
    const mayFollow = this.#size === this.#preparedBytes || this.#size - tailEnd <= aheadBytesMax;
    if (!mayFollow || !(await isZero(this.#file, tailEnd, this.#size)))
      throw this.#damaged(offset, 'more follows than was written at once');
    const tail = judgeTail(await readAt(this.#file, offset, tailEnd - offset), offset);
    if (tail.kind === 'damaged') throw this.#damaged(offset, tail.reason);
  }

  /**
   * What was torn is cut off first: a mark before the rest of it would seem to vouch for it. Frames that were read but
   * perhaps not flushed are written again (after a failed flush the system takes its memory for the disk's content),
   * flushed and marked: whoever is told of them may rely on them.
   */
  async #makeGood(point: LogPoint, unconfirmed: readonly FoundFrame[]): Promise<LogPoint> {
    const { end, chain } = point;
    // From where the first of them knew the log to be on disk: a mark before it may not be.
    const start = unconfirmed[0]?.durable;
    if (this.#size > end) await this.#file.truncate(end);
    if (start !== undefined) await this.#file.write([await readAt(this.#file, start, end - start)], start);
    if (this.#size > end || start !== undefined) await this.#file.datasync();
    if (start === undefined) return point;
    const mark = encodeFrame(emptyMark, end, chain);
    await this.#file.write(mark.pieces, end);
    await this.#file.datasync();
    const marked = end + frameBytes(emptyMark);
    return { ...point, end: marked, durable: marked, chain: mark.chain };
  }

  async #take(frame: FoundFrame): Promise<void> {
    if (frame.kind === frameKinds.file) this.#fileRefs.add(toHex(await this.#dataOf(frame)));
    this.#reader.takeRecord(frame.before.records, frame.record);
  }

  async #hasItsData(frame: FoundFrame): Promise<boolean> {
    if (frame.kind !== frameKinds.object) return true;
    return this.#reader.isWhole(await this.#dataOf(frame));
  }

  #dataOf({ before, recordBytes, dataBytes }: FoundFrame): Promise<Uint8Array> {
    return readAt(this.#file, before.end + frameHeadBytes + recordBytes, dataBytes);
  }

  async #frameAfter(point: LogPoint): Promise<FoundFrame | undefined> {
    const { end: offset, chain: previous, records } = point;
    const head = (await this.#read(offset, frameHeadBytes))?.slice();
    const parsed = head === undefined ? undefined : parseHead(head);
    if (head === undefined || parsed === undefined) return undefined;
    const record = (await this.#read(offset + frameHeadBytes, parsed.recordBytes))?.slice();
    if (record === undefined) return undefined;
    const chain = followingChain(previous, head, record);
    const end = offset + parsed.length;
    this.#frameBytes = parsed.length;
    const mark = await this.#read(end - 1, 1);
    if (chain === undefined || mark?.[0] !== endMark) return undefined;
    const after = {
      end,
      durable: parsed.durable,
      chain,
      records: records + (parsed.kind === frameKinds.mark ? 0 : 1),
    };
    return { ...parsed, before: point, after, record };
  }

  /** Undefined beyond the end of the file. The bytes are there until more is read. */
  async #read(offset: number, length: number): Promise<Uint8Array | undefined> {
    if (offset + length > this.#size) return undefined;
    const { offset: from, bytes } = this.#window;
    if (offset < from || offset + length > from + bytes.length) await this.#readOn(offset, length);
    const at = offset - this.#window.offset;
    return this.#window.bytes.subarray(at, at + length);
  }

  async #readOn(offset: number, length: number): Promise<void> {
    const ahead = this.#frameBytes <= smallFrameBytesMax ? smallFramesReadBytes : logReadBytes;
    const more = Math.min(this.#size - offset, Math.max(length, ahead));
    const bytes = this.#memory.of(more);
    const done = await this.#file.read(bytes, offset);
    if (done < more) throw new Error(`file ends at byte ${offset + done}`);
    this.#window = { offset, bytes };
  }

  #damaged(offset: number, reason: string): AppError {
    return new AppError('STORE_CORRUPT', `${this.#path} is damaged at byte ${offset}: ${reason}.`);
  }
}
