import { createHash, createHmac, randomUUID } from 'node:crypto';
import { decodeCanonical, encodeCanonical } from '../../firmware/src/encoding/canonical-cbor.ts';
import { concatBytes, equalBytes } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import type {
  CborValue,
  FoundStudy,
  ObjectReader,
  ObjectStore,
  ObjectWriter,
  SealedObject,
  StoredObject,
  StudyFolder,
} from '../../firmware/src/ports.ts';
import { leafMessagePrefix } from '../../firmware/src/protocol/commitments.ts';
import { chunkBytes } from '../../firmware/src/protocol/limits.ts';

interface MemoryStudy {
  readonly records: Uint8Array[];
  readonly objects: Map<string, { readonly bytes: Buffer; readonly lastTag: Uint8Array }>;
}

/** What is on disk: it outlives the store, as files outlive a process. */
export class MemoryObjectDisk {
  readonly studies = new Map<string, MemoryStudy>();
  /** Full or broken from now on: nothing more is kept. */
  failing = false;
  /** Objects that are begun and neither finished nor aborted: open files of a box. */
  begun = 0;

  assertWorks(): void {
    if (this.failing) throw new AppError('STORE_FAILED', 'the memory disk is full');
  }
}

class MemoryWriter implements ObjectWriter {
  readonly #disk: MemoryObjectDisk;
  readonly #folder: MemoryFolder;
  readonly #leafKeys: readonly Uint8Array[];
  readonly #pieces: Uint8Array[] = [];
  #ended = false;

  constructor(disk: MemoryObjectDisk, folder: MemoryFolder, leafKeys: readonly Uint8Array[]) {
    this.#leafKeys = leafKeys;
    this.#disk = disk;
    this.#folder = folder;
    disk.begun++;
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    this.#pieces.push(Uint8Array.from(bytes));
    return undefined;
  }

  async finish(): Promise<SealedObject> {
    this.#end();
    this.#disk.assertWorks();
    const ref = randomUUID().replaceAll('-', '');
    const bytes = Buffer.concat(this.#pieces);
    const lastTag = new Uint8Array(createHash('sha256').update(ref).update(bytes).digest().subarray(16));
    const frame = bytes.length > chunkBytes ? null : this.#folder.frames;
    const isFile = frame === null;
    if (isFile) this.#folder.put(ref, bytes, lastTag);
    return {
      length: bytes.length,
      leaves: this.#leafKeys.map((key) => leavesOf(key, bytes)),
      append: async (recordOf) => {
        await this.#folder.append(recordOf({ ref, frame, length: bytes.length, lastTag }));
        if (!isFile) this.#folder.put(ref, bytes, lastTag);
      },
      open: async () => readerOf(bytes),
      discard: async () => {
        this.#folder.drop(ref);
      },
    };
  }

  async abort(): Promise<void> {
    this.#end();
  }

  /** Aborting what has ended is allowed. */
  #end(): void {
    if (!this.#ended) this.#disk.begun--;
    this.#ended = true;
  }
}

class MemoryFolder implements StudyFolder {
  readonly ref: string;
  readonly #disk: MemoryObjectDisk;
  readonly #study: MemoryStudy;

  constructor(ref: string, disk: MemoryObjectDisk, study: MemoryStudy) {
    this.ref = ref;
    this.#disk = disk;
    this.#study = study;
  }

  /** Where the next record would stand. */
  get frames(): number {
    return this.#study.records.length;
  }

  async append(record: CborValue): Promise<void> {
    this.#disk.assertWorks();
    this.#study.records.push(encodeCanonical(record));
  }

  createObject(leafKeys: readonly Uint8Array[]): ObjectWriter {
    return new MemoryWriter(this.#disk, this, leafKeys);
  }

  put(ref: string, bytes: Buffer, lastTag: Uint8Array): void {
    this.#study.objects.set(ref, { bytes, lastTag });
  }

  drop(ref: string): void {
    this.#study.objects.delete(ref);
  }

  async openObject(object: StoredObject): Promise<ObjectReader> {
    const kept = this.#study.objects.get(object.ref);
    if (kept?.bytes.length !== object.length || !equalBytes(kept.lastTag, object.lastTag))
      throw new AppError('STORE_CORRUPT', `no object ${object.ref}`);
    return readerOf(kept.bytes);
  }

  rest(): Promise<void> {
    return Promise.resolve();
  }

  async remove(): Promise<void> {
    this.#disk.assertWorks();
    this.#disk.studies.delete(this.ref);
  }
}

/** Of an empty object, that of one empty chunk. */
function leavesOf(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const chunks = Array.from({ length: Math.max(1, Math.ceil(bytes.length / chunkBytes)) }, (_, n) =>
    createHmac('sha256', key)
      .update(leafMessagePrefix(n))
      .update(bytes.subarray(n * chunkBytes, (n + 1) * chunkBytes))
      .digest(),
  );
  return concatBytes(...chunks);
}

function readerOf(bytes: Buffer): ObjectReader {
  return {
    segmentCount: Math.max(1, Math.ceil(bytes.length / chunkBytes)),
    segment: async (index) => new Uint8Array(bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes)),
    close: () => Promise.resolve(),
  };
}

/** The object store's port in memory. */
export class MemoryObjectStore implements ObjectStore {
  readonly #disk: MemoryObjectDisk;

  constructor(disk = new MemoryObjectDisk()) {
    this.#disk = disk;
  }

  async *open(
    _setAside?: (name: string) => void,
    found?: (studies: number) => void,
  ): AsyncIterable<FoundStudy> {
    found?.(this.#disk.studies.size);
    for (const [ref, study] of this.#disk.studies)
      yield {
        folder: new MemoryFolder(ref, this.#disk, study),
        records: study.records.map((record) => decodeCanonical(record)),
      };
  }

  async createStudy(): Promise<StudyFolder> {
    this.#disk.assertWorks();
    const ref = randomUUID().replaceAll('-', '');
    const study: MemoryStudy = { records: [], objects: new Map() };
    this.#disk.studies.set(ref, study);
    return new MemoryFolder(ref, this.#disk, study);
  }
}
