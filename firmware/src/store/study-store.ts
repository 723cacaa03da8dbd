/**
 * Studies at rest, one folder each under objects/: the wrapped study key, the study's log with its records and objects,
 * and a file for each large object. Names are random: a folder listing says nothing of a patient.
 */
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { toHex } from '../encoding/bytes.ts';
import { decodeOwn } from '../encoding/canonical-cbor.ts';
import { AppError } from '../errors.ts';
import type { CborValue, FoundStudy, ObjectStore, StudyFolder } from '../ports.ts';
import { writeFileAtomically } from './data-folder.ts';
import { eraseFolder, goneSuffix } from './erased-folder.ts';
import { readAt, readWholeFile, writeZeros } from './file-bytes.ts';
import { nodeFileSystem, type FileSystem } from './file-system.ts';
import { unwrapKey, wrapKey } from './key-wrap.ts';
import { Leftovers } from './leftovers.ts';
import { aheadBytesMin, studiesOpenedAtOnceMax } from './limits.ts';
import { objectHeaderBytes, objectKeyOf, openSegment } from './object-seal.ts';
import { OpenLogs } from './open-logs.ts';
import { sealOnLoop, type OpenSegmentOf } from './segment-sealing.ts';
import { ReadMemory } from './read-memory.ts';
import { openRecord } from './sealed-record.ts';
import { sideBySide } from './side-by-side.ts';
import { KeptFolder, logName, recordPlace } from './study-folder.ts';
import { isSpare, SpareLogs } from './spare-logs.ts';
import { encodeLogHeader, firstChain, logHeaderBytes } from './study-log-format.ts';
import { openStudyLog, type FrameReader } from './study-log-opening.ts';

/** In each study's folder: its data key, wrapped by the box key. */
export const keyFile = 'study.key';
const refPattern = /^[0-9a-f]{32}$/;
/** Of a folder that is damaged and was set aside: it is never read nor removed by the box. */
const damagedSuffix = '.damaged';

export interface StudyStoreOptions {
  readonly folder: string;
  readonly boxKey: Uint8Array;
  /** The disk; tests put others in its place. */
  readonly files?: FileSystem;
  /** Where objects are hashed and sealed; on the event loop if nobody says so. */
  readonly openSegment?: OpenSegmentOf;
}

export class StudyStore implements ObjectStore {
  readonly #options: StudyStoreOptions;
  readonly #files: FileSystem;
  readonly #openLogs = new OpenLogs();
  readonly #leftovers: Leftovers;
  /** Empty unless somebody makes some, once the store was opened. */
  readonly spares: SpareLogs;

  constructor(options: StudyStoreOptions) {
    this.#options = options;
    this.#files = options.files ?? nodeFileSystem;
    this.#leftovers = new Leftovers(this.#files);
    this.spares = new SpareLogs(this.#files, options.folder);
  }

  /**
   * What a crash left half-written is removed.
   * @throws AppError STORE_CORRUPT if a log or key is damaged and nobody asked to set it aside; STORE_FAILED.
   */
  async *open(
    setAside?: (name: string) => void,
    found?: (studies: number) => void,
  ): AsyncIterable<FoundStudy> {
    const { folder } = this.#options;
    await this.#files.makeFolder(folder);
    await this.#files.syncFolder(dirname(folder));
    const names = await this.#files.list(folder);
    for (const name of names) {
      if (name.endsWith(goneSuffix) || isSpare(name)) await this.#files.remove(join(folder, name));
      if (name.endsWith(damagedSuffix)) setAside?.(name);
    }
    const refs = names.filter((name) => refPattern.test(name));
    found?.(refs.length);
    const memories: ReadMemory[] = [];
    const open = async (ref: string): Promise<FoundStudy | undefined> => {
      const memory = memories.pop() ?? new ReadMemory();
      const study = await this.#openOrSetAside(ref, memory, setAside);
      memories.push(memory);
      return study;
    };
    for await (const study of sideBySide(refs, studiesOpenedAtOnceMax, open))
      if (study !== undefined) yield study;
  }

  /**
   * The key is written last: a folder without one was being made, and one with a key has a log.
   * @throws AppError STORE_FAILED.
   */
  async createStudy(): Promise<StudyFolder> {
    const { folder, boxKey } = this.#options;
    const ref = toHex(randomBytes(16));
    const path = join(folder, ref);
    const key = randomBytes(32);
    try {
      await this.#files.makeFolder(path);
      await this.#createLog(path, ref);
      await writeFileAtomically(path, keyFile, wrapKey(boxKey, key, ref), this.#files);
      await this.#files.syncFolder(folder);
    } catch (cause) {
      // If this fails too, the next start removes it.
      await Promise.allSettled([eraseFolder(this.#files, path)]);
      throw new AppError('STORE_FAILED', `A study cannot be created in ${folder}.`, { cause });
    }
    const point = { end: logHeaderBytes, durable: logHeaderBytes, chain: firstChain(ref), records: 0 };
    return this.#folder(ref, key, point, aheadBytesMin);
  }

  /** Space that was taken ahead for studies that nobody writes to just now: the disk is getting full. */
  giveBackSpace(): Promise<void> {
    return this.#openLogs.restIdle();
  }

  async close(): Promise<void> {
    await this.#openLogs.close();
    await this.#leftovers.clear();
  }

  async #createLog(path: string, ref: string): Promise<void> {
    const file = await this.#files.open(join(path, logName), 'wx+');
    try {
      await file.write([encodeLogHeader({ studyRef: ref, preparedBytes: 0 })], 0);
      await writeZeros(file, logHeaderBytes, aheadBytesMin);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#files.syncFolder(path);
  }

  #folder(ref: string, key: Uint8Array, point: KeptPoint, allocated: number): KeptFolder {
    const path = join(this.#options.folder, ref);
    const { openSegment = sealOnLoop } = this.#options;
    return new KeptFolder({
      files: this.#files,
      leftovers: this.#leftovers,
      openLogs: this.#openLogs,
      spares: this.spares,
      openSegment,
      ref,
      path,
      key,
      point,
      allocated,
    });
  }

  async #openOrSetAside(
    ref: string,
    memory: ReadMemory,
    setAside?: (name: string) => void,
  ): Promise<FoundStudy | undefined> {
    try {
      return await this.#openStudy(ref, memory);
    } catch (error) {
      if (setAside === undefined || !(error instanceof AppError) || error.code !== 'STORE_CORRUPT')
        throw error;
      const { folder } = this.#options;
      const name = `${ref}${damagedSuffix}`;
      try {
        await this.#files.rename(join(folder, ref), join(folder, name));
        await this.#files.syncFolder(folder);
      } catch (cause) {
        throw new AppError('STORE_FAILED', `${join(folder, ref)} is damaged and cannot be set aside.`, {
          cause,
        });
      }
      setAside(name);
      return undefined;
    }
  }

  /** Undefined for a folder that was being made: nothing in it was acknowledged. */
  async #openStudy(ref: string, memory: ReadMemory): Promise<FoundStudy | undefined> {
    const path = join(this.#options.folder, ref);
    const names = await this.#files.list(path);
    if (!names.includes(keyFile)) {
      if (!(await this.#isUnborn(path, names)))
        throw new AppError('STORE_CORRUPT', `The key of the study in ${path} is missing.`);
      await eraseFolder(this.#files, path);
      return undefined;
    }
    if (!names.includes(logName))
      throw new AppError('STORE_CORRUPT', `The log of the study in ${path} is missing.`);
    const key = unwrapKey(this.#options.boxKey, await readWholeFile(this.#files, join(path, keyFile)), ref);
    const records: CborValue[] = [];
    const reader: FrameReader = {
      takeRecord: (number, sealed) =>
        records.push(decodeOwn(openRecord(key, recordPlace(ref, number), sealed))),
      isWhole: (sealed) => isWhole(key, sealed),
    };
    const { point, fileRefs } = await openStudyLog(this.#files, join(path, logName), ref, reader, memory);
    if (records.length === 0) {
      // A study's first record stands in its log before an object is begun.
      if (names.some((name) => refPattern.test(name)))
        throw new AppError('STORE_CORRUPT', `The log of the study in ${path} is empty.`);
      await eraseFolder(this.#files, path);
      return undefined;
    }
    for (const name of names)
      if (name.endsWith('.part') || (refPattern.test(name) && !fileRefs.has(name)))
        await this.#files.remove(join(path, name));
    return { folder: this.#folder(ref, key, point, 0), records };
  }

  /** Whether a folder without a key holds nothing but what `createStudy` puts there before it. */
  async #isUnborn(path: string, names: readonly string[]): Promise<boolean> {
    if (names.some((name) => name !== logName && name !== `${keyFile}.part`)) return false;
    if (!names.includes(logName)) return true;
    const log = await this.#files.open(join(path, logName), 'r');
    try {
      const size = await log.size();
      if (size > aheadBytesMin) return false;
      return (await readAt(log, 0, size)).subarray(logHeaderBytes).every((byte) => byte === 0);
    } finally {
      await log.close();
    }
  }
}

type KeptPoint = ConstructorParameters<typeof KeptFolder>[0]['point'];

/** Whether an object of one segment is as it was sealed. */
function isWhole(studyKey: Uint8Array, sealed: Uint8Array): boolean {
  try {
    const objectKey = objectKeyOf(studyKey, sealed.subarray(0, objectHeaderBytes));
    openSegment(objectKey, 0, sealed.subarray(objectHeaderBytes));
    return true;
  } catch {
    return false;
  }
}
