import { createHash, randomUUID } from 'node:crypto';
import { decodeCanonical, encodeCanonical } from '../../firmware/src/encoding/canonical-cbor.ts';
import { equalBytes } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import type {
  CborValue,
  FoundStudy,
  ObjectReader,
  ObjectStore,
  ObjectWriter,
  StoredObject,
  StudyFolder,
} from '../../firmware/src/ports.ts';
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
  readonly #study: MemoryStudy;
  readonly #onSegment: (index: number, segment: Uint8Array) => void;
  readonly #segments: Buffer[] = [];
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #ended = false;
  #finishedRef: string | undefined;

  constructor(
    disk: MemoryObjectDisk,
    study: MemoryStudy,
    onSegment: (index: number, segment: Uint8Array) => void,
  ) {
    this.#disk = disk;
    this.#study = study;
    this.#onSegment = onSegment;
    disk.begun++;
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    this.#pending.push(bytes.slice());
    this.#pendingBytes += bytes.length;
    // The last segment is known only when nothing follows it.
    while (this.#pendingBytes > chunkBytes) this.#segment();
    return undefined;
  }

  async finish(): Promise<StoredObject> {
    this.#end();
    this.#disk.assertWorks();
    this.#segment();
    const ref = randomUUID().replaceAll('-', '');
    this.#finishedRef = ref;
    const bytes = Buffer.concat(this.#segments);
    const lastTag = new Uint8Array(createHash('sha256').update(ref).update(bytes).digest().subarray(16));
    this.#study.objects.set(ref, { bytes, lastTag });
    return { ref, length: bytes.length, lastTag };
  }

  async abort(): Promise<void> {
    this.#end();
    this.#pending = [];
  }

  async discard(): Promise<void> {
    if (this.#finishedRef !== undefined) this.#study.objects.delete(this.#finishedRef);
  }

  /** Aborting what has ended is allowed. */
  #end(): void {
    if (!this.#ended) this.#disk.begun--;
    this.#ended = true;
  }

  #segment(): void {
    const bytes = Buffer.concat(this.#pending);
    const segment = bytes.subarray(0, chunkBytes);
    this.#pending = [bytes.subarray(chunkBytes)];
    this.#pendingBytes = bytes.length - segment.length;
    this.#onSegment(this.#segments.length, segment);
    this.#segments.push(segment);
  }
}

class MemoryFolder implements StudyFolder {
  readonly ref: string;
  readonly #disk: MemoryObjectDisk;
  readonly #study: MemoryStudy;
  #failed: AppError | undefined;

  constructor(ref: string, disk: MemoryObjectDisk, study: MemoryStudy) {
    this.ref = ref;
    this.#disk = disk;
    this.#study = study;
  }

  async append(record: CborValue): Promise<void> {
    if (this.#disk.failing) this.#failed ??= new AppError('STORE_FAILED', 'the memory disk is full');
    if (this.#failed !== undefined) throw this.#failed;
    this.#study.records.push(encodeCanonical(record));
  }

  async createObject(onSegment: (index: number, segment: Uint8Array) => void): Promise<ObjectWriter> {
    this.#disk.assertWorks();
    return new MemoryWriter(this.#disk, this.#study, onSegment);
  }

  async openObject(object: StoredObject): Promise<ObjectReader> {
    const kept = this.#study.objects.get(object.ref);
    if (kept?.bytes.length !== object.length || !equalBytes(kept.lastTag, object.lastTag))
      throw new AppError('STORE_CORRUPT', `no object ${object.ref}`);
    return {
      segmentCount: Math.max(1, Math.ceil(object.length / chunkBytes)),
      segment: async (index) =>
        new Uint8Array(kept.bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes)),
      close: () => Promise.resolve(),
    };
  }
}

/** The object store's port in memory. */
export class MemoryObjectStore implements ObjectStore {
  readonly #disk: MemoryObjectDisk;

  constructor(disk = new MemoryObjectDisk()) {
    this.#disk = disk;
  }

  async *open(): AsyncIterable<FoundStudy> {
    for (const [ref, study] of this.#disk.studies)
      yield { folder: new MemoryFolder(ref, this.#disk, study), records: study.records.map(decodeCanonical) };
  }

  async createStudy(): Promise<StudyFolder> {
    this.#disk.assertWorks();
    const ref = randomUUID().replaceAll('-', '');
    const study: MemoryStudy = { records: [], objects: new Map() };
    this.#disk.studies.set(ref, study);
    return new MemoryFolder(ref, this.#disk, study);
  }
}
