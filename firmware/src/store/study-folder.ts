/** One study at rest: its log, whose records are sealed at their places, and the files of its large objects. */
import { join } from 'node:path';
import { fromHex, toHex } from '../encoding/bytes.ts';
import { encodeCanonical } from '../encoding/canonical-cbor.ts';
import { AppError } from '../errors.ts';
import type {
  CborValue,
  ObjectReader,
  ObjectWriter,
  SealedObject,
  StoredObject,
  StudyFolder,
} from '../ports.ts';
import { eraseFolder } from './erased-folder.ts';
import type { FileSystem } from './file-system.ts';
import { freshRandom } from './fresh-random.ts';
import { newObjectKey, saltBytes } from './object-seal.ts';
import { readerInMemory, SealedReader } from './object-reader.ts';
import { SealingWriter, type Sealed } from './object-writer.ts';
import type { Leftovers } from './leftovers.ts';
import type { OpenLogs } from './open-logs.ts';
import type { SpareLogs } from './spare-logs.ts';
import type { OpenSegmentOf } from './segment-sealing.ts';
import { sealRecord } from './sealed-record.ts';
import { frameKinds, type FrameContent } from './study-log-format.ts';
import { StudyLog, type Abandon, type LogPoint } from './study-log.ts';

export const logName = 'study.log';

const refBytes = 16;

/** What the record of this number is sealed for: it opens nowhere else. */
export function recordPlace(studyRef: string, number: number): string {
  return `${studyRef}/${number}`;
}

export interface KeptFolderOptions {
  readonly files: FileSystem;
  readonly ref: string;
  readonly path: string;
  readonly key: Uint8Array;
  readonly openLogs: OpenLogs;
  readonly spares: SpareLogs;
  readonly leftovers: Leftovers;
  /** Where its objects are sealed. */
  readonly openSegment: OpenSegmentOf;
  readonly point: LogPoint;
  /** Bytes of the log's file. */
  readonly allocated: number;
}

export class KeptFolder implements StudyFolder {
  readonly ref: string;
  readonly #options: KeptFolderOptions;
  readonly #log: StudyLog;

  constructor(options: KeptFolderOptions) {
    const { files, ref, path, openLogs, spares, point, allocated } = options;
    this.ref = ref;
    this.#options = options;
    this.#log = new StudyLog({ files, path: join(path, logName), openLogs, spares, point, allocated });
  }

  async append(record: CborValue): Promise<void> {
    await this.#append(frameKinds.record, record, []);
  }

  createObject(leafKeys: readonly Uint8Array[]): ObjectWriter {
    const { files, leftovers, ref, path, key, spares, openSegment } = this.#options;
    const objectRef = toHex(freshRandom(refBytes));
    const objectKey = newObjectKey(key, ref, objectRef, freshRandom(saltBytes));
    const writer = new SealingWriter({
      files,
      leftovers,
      path: `${path}/${objectRef}`,
      key: objectKey,
      leafKeys,
      openSegment,
    });
    return {
      write: (bytes) => {
        spares.noticeUse();
        return writer.write(bytes);
      },
      finish: async () => this.#sealed(objectRef, await writer.finish()),
      abort: () => writer.abort(),
    };
  }

  openObject(object: StoredObject): Promise<ObjectReader> {
    const { files, ref, path, key } = this.#options;
    return SealedReader.open({ files, folder: path, log: logName, studyRef: ref, studyKey: key }, object);
  }

  rest(): Promise<void> {
    return this.#options.openLogs.rest(this.#log);
  }

  async remove(): Promise<void> {
    const { files, path } = this.#options;
    try {
      await this.rest();
      await eraseFolder(files, path);
    } catch (cause) {
      throw new AppError('STORE_FAILED', `The folder ${path} cannot be removed.`, { cause });
    }
  }

  #sealed(objectRef: string, { length, lastTag, leaves, pieces, release }: Sealed): SealedObject {
    const { leftovers, path } = this.#options;
    const removeFile = (): Promise<void> => leftovers.remove(join(path, objectRef));
    return {
      length,
      leaves,
      append: async (recordOf) => {
        try {
          const frame = pieces === undefined ? null : this.#log.nextOffset;
          const record = recordOf({ ref: objectRef, frame, length, lastTag });
          if (pieces === undefined)
            await this.#append(frameKinds.file, record, [fromHex(objectRef)], removeFile);
          else await this.#append(frameKinds.object, record, pieces);
        } finally {
          release();
        }
      },
      open: async () =>
        pieces === undefined
          ? this.openObject({ ref: objectRef, frame: null, length, lastTag })
          : readerInMemory(this.#options.key, pieces),
      discard: async () => {
        release();
        if (pieces === undefined) await removeFile();
      },
    };
  }

  /** The record gets its number at once, in the order of the calls. */
  async #append(
    kind: FrameContent['kind'],
    record: CborValue,
    data: readonly Uint8Array[],
    abandon?: Abandon,
  ): Promise<void> {
    const place = recordPlace(this.ref, this.#log.nextRecord);
    const sealed = sealRecord(this.#options.key, place, encodeCanonical(record));
    await this.#log.append({ kind, record: sealed, data }, abandon);
    this.#options.leftovers.clearSoon();
  }
}
