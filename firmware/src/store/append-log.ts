/** Our own log file for votes and final blocks: what `append` acknowledged survives power loss, or damage is noticed. */
import { dirname } from 'node:path';
import type { ErrorCode } from '../errors.ts';
import { AppError } from '../errors.ts';
import type { ReplaceableLog } from '../ports.ts';
import type { ParsedFrame } from './append-log-format.ts';
import {
  announcedLength,
  chainFollows,
  encodeFrame,
  encodeHeader,
  firstChain,
  frameOverheadBytes,
  headerBytes,
  headerFault,
  parseFrame,
  recordOverheadBytes,
  revealRecord,
} from './append-log-format.ts';
import { judgeTail } from './append-log-damage.ts';
import { readAt, writeZeros } from './file-bytes.ts';
import { nodeFileSystem, type FileSystem, type StoredFile } from './file-system.ts';
import { allocationBytesDefault, frameBytesMax } from './limits.ts';
import { nameAside, openSpare, putSpareInPlace, removeSpare } from './spare-file.ts';

export interface AppendLogOptions {
  /** What the log is for, 1 to 32 bytes; a log of another purpose is not opened. */
  readonly domain: string;
  /** The code with which damage is reported. */
  readonly damageCode: Extract<ErrorCode, 'VOTE_LOG_CORRUPT' | 'STORE_CORRUPT'>;
  /** Space taken ahead, in bytes; at most `frameBytesMax`. A small log that there are many of takes less. */
  readonly allocationBytes?: number;
  /**
   * Keeps a second file of `allocationBytes` in which `replace` begins the log anew. Log and spare are taken whole at
   * opening, so that as long as the log stays within `allocationBytes` a full disk reaches neither `append` nor `replace`.
   */
  readonly keepsSpare?: boolean;
  /** The disk; tests put others in its place. */
  readonly files?: FileSystem;
}

/** An unfinished last frame that was cut off at opening. It had not been acknowledged. */
export interface TornTail {
  readonly offset: number;
}

/** The open file: where it ends and where its records are. */
interface Content {
  readonly file: StoredFile;
  /** Where the next frame goes. */
  end: number;
  /** Size of the file; zero from `end` on. */
  allocated: number;
  readonly allocationBytes: number;
  chain: Uint8Array;
  /** Place of each record in the file. */
  readonly offsets: number[];
  readonly lengths: number[];
}

export class FileAppendLog implements ReplaceableLog {
  readonly #path: string;
  readonly #options: AppendLogOptions;
  #content: Content;
  /** The writes under way, one after the other. */
  #writes: Promise<unknown> = Promise.resolve();
  #waiting: Uint8Array[] = [];
  #appending: Promise<void> | undefined;
  #failure: AppError | undefined;
  /** Set if the last opening cut off an unfinished frame. */
  readonly torn: TornTail | undefined;

  private constructor(path: string, options: AppendLogOptions, content: Content, torn: TornTail | undefined) {
    this.#path = path;
    this.#options = options;
    this.#content = content;
    this.torn = torn;
  }

  /**
   * Opens the log, or creates it. Every frame is read and checked; an unfinished last one is cut off.
   * @throws AppError `damageCode`, naming file and byte, with nothing changed; STORE_FAILED if the disk fails.
   */
  static async open(path: string, options: AppendLogOptions): Promise<FileAppendLog> {
    try {
      const file = await openExisting(filesOf(options), path);
      const opened =
        file === undefined
          ? { content: await begin(path, options), torn: undefined }
          : await reopen(file, path, options);
      try {
        await prepareSpare(path, options);
        return new FileAppendLog(path, options, opened.content, opened.torn);
      } catch (error) {
        await opened.content.file.close();
        throw error;
      }
    } catch (error) {
      throw asFault(error, path);
    }
  }

  /**
   * Begins the log with these records in the place of a damaged one, which stays under another name (`nameAside`). A
   * crash leaves the damaged log or the new one. @throws AppError STORE_FAILED; the damaged log stands then.
   */
  static async beginAnew(
    path: string,
    options: AppendLogOptions,
    records: readonly Uint8Array[],
  ): Promise<FileAppendLog> {
    assertSizes(records);
    try {
      await nameAside(filesOf(options), path);
      const content = await begin(path, options, records);
      try {
        await prepareSpare(path, options);
        return new FileAppendLog(path, options, content, undefined);
      } catch (error) {
        await content.file.close();
        throw error;
      }
    } catch (error) {
      throw asFault(error, path);
    }
  }

  get length(): number {
    return this.#content.offsets.length;
  }

  /** Bytes of the records and their frames, without the space allocated ahead. */
  get bytes(): number {
    return this.#content.end;
  }

  /** Calls that come while a write is under way share the next one. */
  append(records: readonly Uint8Array[]): Promise<void> {
    assertSizes(records);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (records.length === 0) return this.#writes.then(() => undefined);
    this.#waiting.push(...records);
    this.#appending ??= this.#exclusively(async () => {
      this.#appending = undefined;
      await this.#writeFrames(this.#waiting.splice(0));
    });
    return this.#appending;
  }

  async *read(): AsyncIterable<Uint8Array> {
    for (let index = 0; index < this.length; index++) yield await this.at(index);
  }

  /** @throws AppError STORE_FAILED; `damageCode` if the disk gives other bytes than were written. */
  async at(index: number): Promise<Uint8Array> {
    const offset = this.#content.offsets[index];
    const length = this.#content.lengths[index];
    if (offset === undefined || length === undefined)
      throw new RangeError(`no record ${index} in ${this.#path}`);
    let hidden: Uint8Array;
    try {
      hidden = await readAt(this.#content.file, offset, length);
    } catch (cause) {
      throw asFault(cause, this.#path);
    }
    const record = revealRecord(hidden);
    if (record === undefined)
      throw new AppError(
        this.#options.damageCode,
        `${this.#path} is damaged at byte ${offset}: it was intact when it was opened`,
      );
    return record;
  }

  replace(records: readonly Uint8Array[]): Promise<void> {
    assertSizes(records);
    return this.#exclusively(async () => {
      const old = this.#content;
      const content = await writeSpare(this.#path, this.#options, records);
      try {
        await putSpareInPlace(filesOf(this.#options), this.#path, this.#options.keepsSpare === true);
      } catch (error) {
        await content.file.close();
        throw error;
      }
      this.#content = content;
      try {
        await filesOf(this.#options).syncFolder(dirname(this.#path));
      } catch (error) {
        // Which of the two stands after a power cut is unknown: a vote written now might be lost with the new one.
        this.#failure = asFault(error, this.#path);
        throw error;
      } finally {
        await old.file.close();
      }
    });
  }

  async close(): Promise<void> {
    this.#failure ??= new AppError('STORE_FAILED', `${this.#path} is closed`);
    await this.#writes;
    await this.#content.file.close();
  }

  /** After everything that was asked for before. A failed append ends writing: what is on disk is unknown since. */
  #exclusively(run: () => Promise<void>): Promise<void> {
    const done = this.#writes.then(async () => {
      if (this.#failure !== undefined && this.#failure.cause !== undefined) throw this.#failure;
      try {
        await run();
      } catch (error) {
        throw asFault(error, this.#path);
      }
    });
    this.#writes = done.catch(() => undefined);
    return done;
  }

  async #writeFrames(records: readonly Uint8Array[]): Promise<void> {
    const content = this.#content;
    try {
      for (const group of groupsOf(records)) await writeFrame(content, group);
    } catch (error) {
      this.#failure = asFault(error, this.#path);
      throw this.#failure;
    }
  }
}

/** Writes one frame into space that is already allocated, then flushes: its size on disk does not change. */
async function writeFrame(content: Content, records: readonly Uint8Array[]): Promise<void> {
  const frame = encodeFrame(content.chain, records);
  const end = content.end + frame.bytes.length;
  if (end > content.allocated)
    await allocate(content, Math.ceil(end / content.allocationBytes) * content.allocationBytes);
  await content.file.write([frame.bytes], content.end);
  await content.file.datasync();
  addPlaces(content, frame.records);
  content.end = end;
  content.chain = frame.chain;
}

/** A record that no frame can hold is its writer's error. */
function assertSizes(records: readonly Uint8Array[]): void {
  for (const { length } of records)
    if (length + recordOverheadBytes > frameBytesMax) throw new RangeError(`record of ${length} bytes`);
}

/** Groups of records that fit a frame each. */
function* groupsOf(records: readonly Uint8Array[]): Generator<readonly Uint8Array[]> {
  let group: Uint8Array[] = [];
  let bytes = 0;
  for (const record of records) {
    if (bytes + recordOverheadBytes + record.length > frameBytesMax) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(record);
    bytes += recordOverheadBytes + record.length;
  }
  if (group.length > 0) yield group;
}

/** A new log; its spare is not there yet. */
async function begin(
  path: string,
  options: AppendLogOptions,
  records: readonly Uint8Array[] = [],
): Promise<Content> {
  const content = await writeSpare(path, options, records);
  try {
    await putSpareInPlace(filesOf(options), path, false);
    await filesOf(options).syncFolder(dirname(path));
    return content;
  } catch (error) {
    await content.file.close();
    throw error;
  }
}

/** A log with these records in the spare: complete and on disk before it takes the place of what was there. */
async function writeSpare(
  path: string,
  options: AppendLogOptions,
  records: readonly Uint8Array[],
): Promise<Content> {
  const allocationBytes = options.allocationBytes ?? allocationBytesDefault;
  const file = await openSpare(filesOf(options), path);
  try {
    const size = await file.size();
    const content: Content = {
      file,
      end: headerBytes,
      allocated: Math.max(size, allocationBytes),
      allocationBytes,
      chain: firstChain(options.domain),
      offsets: [],
      lengths: [],
    };
    await writeZeros(file, 0, content.allocated);
    await file.write([encodeHeader(options.domain)], 0);
    for (const group of groupsOf(records)) await writeFrame(content, group);
    await file.sync();
    return content;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Takes the spare's space, or removes one that was left. */
async function prepareSpare(path: string, options: AppendLogOptions): Promise<void> {
  if (options.keepsSpare !== true) return removeSpare(filesOf(options), path);
  const file = await openSpare(filesOf(options), path);
  try {
    const size = await file.size();
    await writeZeros(file, size, options.allocationBytes ?? allocationBytesDefault);
    await file.sync();
  } finally {
    await file.close();
  }
  await filesOf(options).syncFolder(dirname(path));
}

interface Opened {
  readonly content: Content;
  /** Where the last frame begins; the content's end if there is none. */
  readonly lastFrame: number;
  readonly torn: TornTail | undefined;
}

async function reopen(
  file: StoredFile,
  path: string,
  options: AppendLogOptions,
): Promise<Pick<Opened, 'content' | 'torn'>> {
  try {
    const opened = await readContent(file, path, options);
    const { content, lastFrame } = opened;
    // What a killed process wrote may be in memory only, its bytes and its name. It counts from here on: a vote that is
    // read now is sent again, so it must not go with the power. Only the last frame can lack its flush; it is written
    // again, because after a failed flush the system takes its memory for the disk's content.
    await file.write([await readAt(file, lastFrame, content.end - lastFrame)], lastFrame);
    await file.sync();
    await filesOf(options).syncFolder(dirname(path));
    if (options.keepsSpare === true) await allocate(content, content.allocationBytes);
    return opened;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Makes the file at least so long. */
async function allocate(content: Content, bytes: number): Promise<void> {
  if (bytes <= content.allocated) return;
  await writeZeros(content.file, content.allocated, bytes);
  await content.file.datasync();
  content.allocated = bytes;
}

async function readContent(file: StoredFile, path: string, options: AppendLogOptions): Promise<Opened> {
  const size = await file.size();
  const damaged = (offset: number, reason: string): AppError =>
    new AppError(options.damageCode, `${path} is damaged at byte ${offset}: ${reason}`);
  const fault = headerFault(await readAt(file, 0, Math.min(headerBytes, size)), options.domain);
  if (fault !== undefined) throw damaged(0, fault);

  const content: Content = {
    file,
    end: headerBytes,
    allocated: size,
    allocationBytes: options.allocationBytes ?? allocationBytesDefault,
    chain: firstChain(options.domain),
    offsets: [],
    lengths: [],
  };
  let lastFrame = content.end;
  for (;;) {
    const frame = await readFrame(file, content.end, size);
    if (frame === undefined || !chainFollows(content.chain, frame)) break;
    lastFrame = content.end;
    addPlaces(content, frame.records);
    content.end += frame.length;
    content.chain = frame.chain.slice();
  }
  // An unfinished frame and the space ahead are less than this.
  if (size - content.end > 2 * frameBytesMax + frameOverheadBytes) {
    throw damaged(content.end, 'more follows than was taken ahead');
  }
  const rest = await readAt(file, content.end, size - content.end);
  const tail = judgeTail(rest, content.end, content.chain);
  if (tail.kind === 'damaged') throw damaged(content.end, tail.reason);
  if (tail.kind === 'clean') return { content, lastFrame, torn: undefined };
  await file.write([new Uint8Array(rest.length)], content.end);
  await file.datasync();
  return { content, lastFrame, torn: { offset: content.end } };
}

async function readFrame(file: StoredFile, offset: number, size: number): Promise<ParsedFrame | undefined> {
  const length = announcedLength(await readAt(file, offset, Math.min(4, size - offset)));
  if (length === undefined || length > frameBytesMax || offset + length + frameOverheadBytes > size)
    return undefined;
  return parseFrame(await readAt(file, offset, length + frameOverheadBytes));
}

function addPlaces(content: Content, records: ParsedFrame['records']): void {
  for (const { offset, length } of records) {
    content.offsets.push(content.end + offset);
    content.lengths.push(length);
  }
}

async function openExisting(files: FileSystem, path: string): Promise<StoredFile | undefined> {
  try {
    return await files.open(path, 'r+');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function filesOf({ files = nodeFileSystem }: AppendLogOptions): FileSystem {
  return files;
}

function asFault(error: unknown, path: string): AppError {
  if (error instanceof AppError) return error;
  return new AppError('STORE_FAILED', `${path} cannot be read or written`, { cause: error });
}
