/**
 * Studies at rest, one folder each under objects/: the wrapped study key, the manifest (an append-only log of encrypted
 * records) and an object file for each instance. Names are random: a folder listing says nothing of a patient.
 */
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import { toHex } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type {
  AppendLog,
  CborValue,
  FoundStudy,
  ObjectReader,
  ObjectStore,
  ObjectWriter,
  StoredObject,
  StudyFolder,
} from '../ports.ts';
import { writeFileAtomically } from './data-folder.ts';
import { readWholeFile } from './file-bytes.ts';
import { nodeFileSystem, type FileSystem } from './file-system.ts';
import { unwrapKey, wrapKey } from './key-wrap.ts';
import { OpenLogs } from './open-logs.ts';
import { ObjectFileReader, ObjectFileWriter } from './object-file.ts';
import { openRecord, sealRecord } from './sealed-record.ts';

const keyFile = 'study.key';
const manifestFile = 'manifest.log';
const studyRefPattern = /^[0-9a-f]{32}$/;

export interface StudyStoreOptions {
  readonly folder: string;
  readonly boxKey: Uint8Array;
  readonly openLog: (path: string) => Promise<AppendLog>;
  /** The disk; tests put others in its place. */
  readonly files?: FileSystem;
}

class KeptFolder implements StudyFolder {
  readonly ref: string;
  readonly #files: FileSystem;
  readonly #folder: string;
  readonly #key: Uint8Array;
  readonly #logs: OpenLogs;
  #recordCount = 0;
  #appending: Promise<void> = Promise.resolve();

  constructor(files: FileSystem, ref: string, folder: string, key: Uint8Array, logs: OpenLogs) {
    this.#files = files;
    this.ref = ref;
    this.#folder = folder;
    this.#key = key;
    this.#logs = logs;
  }

  /** Reads the manifest, once, before anything is appended. */
  async load(): Promise<readonly CborValue[]> {
    const records: CborValue[] = [];
    await this.#logs.use(this.#manifest, async (log) => {
      for await (const sealed of log.read()) {
        records.push(decodeCanonical(openRecord(this.#key, this.#place(records.length), sealed)));
      }
    });
    this.#recordCount = records.length;
    return records;
  }

  /** One after the other: a record's number is part of what is authenticated. After a failure all further ones fail. */
  append(record: CborValue): Promise<void> {
    this.#appending = this.#appending.then(async () => {
      const sealed = sealRecord(this.#key, this.#place(this.#recordCount), encodeCanonical(record));
      await this.#logs.use(this.#manifest, (log) => log.append([sealed]));
      this.#recordCount += 1;
    });
    return this.#appending;
  }

  async createObject(onSegment: (index: number, segment: Uint8Array) => void): Promise<ObjectWriter> {
    return ObjectFileWriter.create(this.#files, this.#folder, this.#key, this.ref, onSegment);
  }

  async openObject(object: StoredObject): Promise<ObjectReader> {
    return ObjectFileReader.open(this.#files, this.#folder, this.#key, this.ref, object);
  }

  get #manifest(): string {
    return join(this.#folder, manifestFile);
  }

  #place(number: number): string {
    return `${this.ref}/${number}`;
  }
}

export class StudyStore implements ObjectStore {
  readonly #options: StudyStoreOptions;
  readonly #files: FileSystem;
  readonly #logs: OpenLogs;

  constructor(options: StudyStoreOptions) {
    this.#options = options;
    this.#files = options.files ?? nodeFileSystem;
    this.#logs = new OpenLogs(options.openLog);
  }

  /** @throws AppError STORE_CORRUPT if a manifest or key is damaged. Half-written objects of a crash are removed. */
  async *open(): AsyncIterable<FoundStudy> {
    const { folder } = this.#options;
    await this.#files.makeFolder(folder);
    await this.#files.syncFolder(dirname(folder));
    for (const ref of await this.#files.list(folder)) {
      if (!studyRefPattern.test(ref)) continue;
      const found = await this.#openStudy(ref);
      if (found !== undefined) yield found;
    }
  }

  async createStudy(): Promise<StudyFolder> {
    const { folder, boxKey } = this.#options;
    const ref = toHex(randomBytes(16));
    const path = join(folder, ref);
    const key = randomBytes(32);
    try {
      await this.#files.makeFolder(path);
      await writeFileAtomically(path, keyFile, wrapKey(boxKey, key, ref), this.#files);
      await this.#files.syncFolder(folder);
    } catch (cause) {
      // If this fails too, the next start removes it.
      await Promise.allSettled([this.#files.remove(path)]);
      throw new AppError('STORE_FAILED', `A study cannot be created in ${folder}.`, { cause });
    }
    return new KeptFolder(this.#files, ref, path, key, this.#logs);
  }

  close(): Promise<void> {
    return this.#logs.close();
  }

  /** Undefined for a folder that was made just before a crash: its key comes first, and nothing was acknowledged. */
  async #openStudy(ref: string): Promise<FoundStudy | undefined> {
    const { folder, boxKey } = this.#options;
    const path = join(folder, ref);
    const names = await this.#files.list(path);
    if (!names.includes(keyFile)) {
      if (names.some((name) => name !== `${keyFile}.part`))
        throw new AppError('STORE_CORRUPT', `The key of the study in ${path} is missing.`);
      await this.#files.remove(path);
      return undefined;
    }
    for (const name of names) if (name.endsWith('.part')) await this.#files.remove(join(path, name));
    const key = unwrapKey(boxKey, await readWholeFile(this.#files, join(path, keyFile)), ref);
    const kept = new KeptFolder(this.#files, ref, path, key, this.#logs);
    const records = await kept.load();
    // A study's first record stands in its manifest before an object is begun.
    if (records.length === 0 && names.some((name) => studyRefPattern.test(name)))
      throw new AppError('STORE_CORRUPT', `The manifest of the study in ${path} is missing or empty.`);
    return { folder: kept, records };
  }
}
