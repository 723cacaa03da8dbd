import type { StudyId } from '../ledger/types.ts';
import type { FoundStudy, SealedObject, StoredObject, StudyFolder } from '../ports.ts';
import { FingerprintsUnderWay } from './fingerprint.ts';
import {
  fromRecord,
  toRecord,
  type ManifestRecord,
  type ObjectKept,
  type OwnerDerived,
  type StudyCreated,
  type StudyPulled,
  type StudyReferenced,
  type VersionPlanned,
} from './manifest.ts';
import { sharingValues } from './shared-values.ts';

/** An object whose record is being flushed. */
export interface BeingKept {
  readonly object: ObjectKept;
  /** Resolves with it when it is on disk. */
  readonly kept: Promise<ObjectKept>;
}

/** A study that this box keeps: its manifest, read once and held in memory. A record counts once it is on disk. */
export class KeptStudy {
  readonly folder: StudyFolder;
  readonly created: StudyCreated;
  #objects: ObjectKept[] = [];
  #byInstance = new Map<string, ObjectKept[]>();
  #owner: OwnerDerived | undefined;
  #reference: StudyReferenced | undefined;
  #pulled: StudyPulled | undefined;
  #versions: VersionPlanned[] = [];
  #numbersTaken = 0;
  #corrections = 0;
  #bytes = 0;
  /** The records that are being flushed, taken in the order in which they were appended. */
  #taken: Promise<unknown> = Promise.resolve();
  readonly #beingKept = new Map<string, BeingKept[]>();
  #turn: Promise<unknown> = Promise.resolve();
  readonly underWay = new FingerprintsUnderWay();
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
    for (const record of rest)
      study.#take(record.is === 'object' ? sharingValues(record, study.#objects.at(-1)) : record);
    return study;
  }

  get ref(): string {
    return this.folder.ref;
  }

  get objects(): readonly ObjectKept[] {
    return this.#objects;
  }

  /**
   * The objects as they stood when the study had this many, from the first on: without those in whose place a newer one
   * stands. What a version of the study commits to, and releases.
   */
  newestOf(objects: number): readonly ObjectKept[] {
    const taken = this.#objects.slice(0, objects);
    if (this.#corrections === 0) return taken;
    const replaced = new Set(taken.map(({ corrects }) => corrects));
    return taken.filter(({ number }) => !replaced.has(number));
  }

  /** The newest version of each object. */
  get newest(): readonly ObjectKept[] {
    return this.newestOf(this.#objects.length);
  }

  get owner(): OwnerDerived | undefined {
    return this.#owner;
  }

  /** What was registered of it by reference, if it was. */
  get reference(): StudyReferenced | undefined {
    return this.#reference;
  }

  get pulled(): StudyPulled | undefined {
    return this.#pulled;
  }

  /** Whether its UIDs alone are committed to: its bytes lie in the hospital's PACS. */
  get isByReference(): boolean {
    return this.#reference !== undefined && this.#pulled === undefined;
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

  /**
   * How many objects the study had when it was committed to like this: `newestOf` tells which those are. Undefined too
   * for a commitment by reference, under which there is nothing to release.
   */
  objectsUnder(sameCommitment: (commitment: Uint8Array) => boolean): number | undefined {
    const objects = this.#versions.find((version) => sameCommitment(version.commitment))?.objects;
    return objects === 0 ? undefined : objects;
  }

  /** The last plan of this version with such a commitment. What the ledger refused is planned again under its number. */
  plan(version: number, sameCommitment: (commitment: Uint8Array) => boolean): VersionPlanned | undefined {
    return this.#versions.findLast((plan) => plan.version === version && sameCommitment(plan.commitment));
  }

  /** Objects of this UID whose records are being flushed: nobody may be told of them yet. */
  beingKept(sopInstanceUid: string): readonly BeingKept[] {
    return this.#beingKept.get(sopInstanceUid) ?? [];
  }

  /** Runs when nobody else's run of this study is under way; one that fails is told to its caller alone. */
  inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    const ran = Promise.allSettled([this.#turn]).then(run);
    this.#turn = ran;
    return ran;
  }

  takeNumber(): number {
    return this.#numbersTaken++;
  }

  /** On disk when it resolves. @throws AppError STORE_FAILED. */
  append(record: Exclude<ManifestRecord, StudyCreated>): Promise<void> {
    return this.#takeWhen(this.folder.append(toRecord(record)), record);
  }

  /** Object and record are on disk when it resolves; several at a time share a flush. @throws AppError STORE_FAILED. */
  async keep(sealed: SealedObject, describe: (stored: StoredObject) => ObjectKept): Promise<ObjectKept> {
    let described: ObjectKept | undefined;
    const flushed = sealed.append((stored) => {
      described = sharingValues(describe(stored), this.#objects.at(-1));
      return toRecord(described);
    });
    if (described === undefined) throw new Error('a sealed object asks for its record at once');
    const object: ObjectKept = described;
    const kept = this.#takeWhen(flushed, object).then(() => object);
    const being = { object, kept };
    this.#beingKept.set(object.sopInstanceUid, [...this.beingKept(object.sopInstanceUid), being]);
    try {
      return await kept;
    } finally {
      const left = this.beingKept(object.sopInstanceUid).filter((each) => each !== being);
      if (left.length === 0) this.#beingKept.delete(object.sopInstanceUid);
      else this.#beingKept.set(object.sopInstanceUid, left);
    }
  }

  static stored({ fileRef, frame, length, lastTag }: ObjectKept): StoredObject {
    return { ref: fileRef, frame, length, lastTag };
  }

  #takeWhen(flushed: Promise<void>, record: ManifestRecord): Promise<void> {
    const taken = Promise.all([flushed, Promise.allSettled([this.#taken])]).then(() => {
      this.#take(record);
    });
    this.#taken = taken;
    return taken;
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
        if (record.corrects !== null) this.#corrections += 1;
        this.#numbersTaken = Math.max(this.#numbersTaken, record.number + 1);
        return;
      }
      case 'owner':
        this.#owner = record;
        this.#versions = [];
        return;
      case 'reference':
        this.#reference = record;
        this.#numbersTaken = Math.max(this.#numbersTaken, record.number + 1);
        return;
      case 'pulled':
        this.#pulled = record;
        return;
      case 'version':
        this.#versions.push(record);
    }
  }
}
