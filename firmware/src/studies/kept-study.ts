import type { StudyId } from '../ledger/types.ts';
import type { FoundStudy, StoredObject, StudyFolder } from '../ports.ts';
import {
  fromRecord,
  toRecord,
  type ManifestRecord,
  type ObjectKept,
  type OwnerDerived,
  type StudyCreated,
  type VersionPlanned,
} from './manifest.ts';

/** A study that this box keeps: its manifest, read once and held in memory. A record counts once it is on disk. */
export class KeptStudy {
  readonly folder: StudyFolder;
  readonly created: StudyCreated;
  #objects: ObjectKept[] = [];
  #byInstance = new Map<string, ObjectKept[]>();
  #owner: OwnerDerived | undefined;
  #versions: VersionPlanned[] = [];
  #numbersTaken = 0;
  #bytes = 0;
  #exclusive: Promise<void> = Promise.resolve();
  /** Its id on the ledger, once an owner key was derived (or, for a fetched study, the source's). */
  studyId: StudyId | undefined;

  private constructor(folder: StudyFolder, created: StudyCreated) {
    this.folder = folder;
    this.created = created;
  }

  static async create(folder: StudyFolder, created: StudyCreated): Promise<KeptStudy> {
    await folder.append(toRecord(created));
    return new KeptStudy(folder, created);
  }

  /** Reads a manifest again; undefined for a folder that was made just before a crash and holds nothing yet. */
  static restore({ folder, records: encoded }: FoundStudy): KeptStudy | undefined {
    const [created, ...rest] = encoded.map(fromRecord);
    if (created?.is !== 'study') return undefined;
    const study = new KeptStudy(folder, created);
    for (const record of rest) study.#take(record);
    return study;
  }

  get ref(): string {
    return this.folder.ref;
  }

  get objects(): readonly ObjectKept[] {
    return this.#objects;
  }

  get owner(): OwnerDerived | undefined {
    return this.#owner;
  }

  get latestVersion(): VersionPlanned | undefined {
    return this.#versions.at(-1);
  }

  get bytes(): number {
    return this.#bytes;
  }

  get lastObjectAt(): number {
    return this.#objects.at(-1)?.at ?? this.created.at;
  }

  /** When the first object came that no closed version covers; the first of all if there is none. */
  get openSince(): number {
    const closed = this.#versions.findLast((version) => version.closed);
    const [first] = this.#objects;
    return (this.#objects[closed?.objects ?? 0] ?? first)?.at ?? this.created.at;
  }

  /** Different SOP Instance UIDs. */
  get instanceCount(): number {
    return this.#byInstance.size;
  }

  instances(sopInstanceUid: string): readonly ObjectKept[] {
    return this.#byInstance.get(sopInstanceUid) ?? [];
  }

  /** The note that was sealed for this commitment: its key serves one plaintext, ever. */
  noteFor(sameCommitment: (commitment: Uint8Array) => boolean): Uint8Array | undefined {
    return this.#versions.find((version) => sameCommitment(version.commitment))?.note;
  }

  /** How many of its objects, from the first on, a commitment of this study covers. */
  objectsUnder(sameCommitment: (commitment: Uint8Array) => boolean): number | undefined {
    return this.#versions.find((version) => sameCommitment(version.commitment))?.objects;
  }

  /** The last plan of this version with such a commitment. What the ledger refused is planned again under its number. */
  plan(version: number, sameCommitment: (commitment: Uint8Array) => boolean): VersionPlanned | undefined {
    return this.#versions.findLast((plan) => plan.version === version && sameCommitment(plan.commitment));
  }

  /** Runs when nobody else's run of this study is under way; one that fails is told to its caller alone. */
  async exclusively<Result>(run: () => Promise<Result>): Promise<Result> {
    const before = this.#exclusive;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exclusive = promise;
    await before;
    try {
      return await run();
    } finally {
      resolve();
    }
  }

  takeNumber(): number {
    return this.#numbersTaken++;
  }

  async append(record: Exclude<ManifestRecord, StudyCreated>): Promise<void> {
    await this.folder.append(toRecord(record));
    this.#take(record);
  }

  static stored(object: ObjectKept): StoredObject {
    return { ref: object.fileRef, length: object.length, lastTag: object.lastTag };
  }

  #take(record: ManifestRecord): void {
    switch (record.is) {
      case 'study':
        throw new Error('a manifest names its study once');
      case 'object': {
        this.#objects.push(record);
        const same = this.#byInstance.get(record.sopInstanceUid);
        if (same === undefined) this.#byInstance.set(record.sopInstanceUid, [record]);
        else same.push(record);
        this.#bytes += record.length;
        this.#numbersTaken = Math.max(this.#numbersTaken, record.number + 1);
        return;
      }
      case 'owner':
        this.#owner = record;
        return;
      case 'version':
        this.#versions.push(record);
    }
  }
}
