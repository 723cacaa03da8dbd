/** Reads one object at rest, segment by segment, each verified alone. */
import { join } from 'node:path';
import { concatBytes, equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { ObjectReader, StoredObject } from '../ports.ts';
import { readAt } from './file-bytes.ts';
import type { FileSystem, StoredFile } from './file-system.ts';
import { segmentBytes } from './limits.ts';
import {
  headerStart,
  objectHeaderBytes,
  objectKeyOf,
  openSegment,
  sealedBytes,
  sealedSegmentBytes,
  segmentCount,
  tagBytes,
  type ObjectKey,
} from './object-seal.ts';
import { frameHeadBytes, frameKinds, parseHead } from './study-log-format.ts';

/** Where the objects of a study lie. */
export interface ObjectPlace {
  readonly files: FileSystem;
  readonly folder: string;
  /** Name of the study's log in the folder. */
  readonly log: string;
  readonly studyRef: string;
  readonly studyKey: Uint8Array;
}

export class SealedReader implements ObjectReader {
  readonly #file: StoredFile;
  readonly #path: string;
  /** Where the first segment begins in the file. */
  readonly #start: number;
  readonly #key: ObjectKey;
  readonly #object: StoredObject;
  readonly segmentCount: number;

  private constructor(file: StoredFile, path: string, start: number, key: ObjectKey, object: StoredObject) {
    this.#file = file;
    this.#path = path;
    this.#start = start;
    this.#key = key;
    this.#object = object;
    this.segmentCount = segmentCount(object.length);
  }

  /** @throws AppError STORE_CORRUPT if the object is missing, another, or of another length. */
  static async open(place: ObjectPlace, object: StoredObject): Promise<SealedReader> {
    const { files, folder, log, studyRef, studyKey } = place;
    const path = join(folder, object.frame === null ? object.ref : log);
    let file: StoredFile | undefined;
    try {
      file = await files.open(path, 'r');
      const start = await objectStart(file, object);
      const header = await readAt(file, start, objectHeaderBytes);
      const named = headerStart(studyRef, object.ref);
      if (!equalBytes(header.subarray(0, named.length), named)) throw new RangeError('foreign header');
      const key = objectKeyOf(studyKey, header);
      return new SealedReader(file, path, start + objectHeaderBytes, key, object);
    } catch (cause) {
      await file?.close();
      throw new AppError('STORE_CORRUPT', `An object in ${path} is missing or damaged.`, { cause });
    }
  }

  async segment(index: number): Promise<Uint8Array> {
    const last = index === this.segmentCount - 1;
    const plainLength = last ? this.#object.length - index * segmentBytes : segmentBytes;
    try {
      const offset = this.#start + index * sealedSegmentBytes;
      const sealed = await readAt(this.#file, offset, plainLength + tagBytes);
      if (last && !equalBytes(sealed.subarray(-tagBytes), this.#object.lastTag))
        throw new RangeError('other last tag');
      return openSegment(this.#key, index, sealed);
    } catch (cause) {
      throw new AppError('STORE_CORRUPT', `Segment ${index} of an object in ${this.#path} is damaged.`, {
        cause,
      });
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Of an object of one segment that no record tells of yet: its header, then ciphertext and tag. */
export function readerInMemory(studyKey: Uint8Array, pieces: readonly Uint8Array[]): ObjectReader {
  const [header, ...sealed] = pieces;
  if (header === undefined) throw new RangeError('an object begins with its header');
  const key = objectKeyOf(studyKey, header);
  return {
    segmentCount: 1,
    segment: (index) => Promise.resolve(openSegment(key, index, concatBytes(...sealed))),
    close: () => Promise.resolve(),
  };
}

/** The byte at which the object's header begins. @throws RangeError if something else is there. */
async function objectStart(file: StoredFile, { frame, length }: StoredObject): Promise<number> {
  if (frame === null) {
    if ((await file.size()) !== sealedBytes(length)) throw new RangeError('other length');
    return 0;
  }
  const head = parseHead(await readAt(file, frame, frameHeadBytes));
  if (head?.kind !== frameKinds.object || head.dataBytes !== sealedBytes(length))
    throw new RangeError('no such frame');
  return frame + frameHeadBytes + head.recordBytes;
}
