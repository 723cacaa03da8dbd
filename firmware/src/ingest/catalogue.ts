import type { StudyId } from '../ledger/types.ts';
import type { ObjectStore, Unsubscribe } from '../ports.ts';
import { KeptStudy } from './kept-study.ts';
import type { StudyCreated } from './manifest.ts';

/** All studies that this box keeps, in memory; built from the manifests at start. */
export class Catalogue {
  readonly #store: ObjectStore;
  readonly #studies = new Map<string, KeptStudy>();
  readonly #byUid = new Map<string, KeptStudy>();
  readonly #byStudyId = new Map<StudyId, KeptStudy>();
  readonly #creating = new Map<string, Promise<KeptStudy>>();
  readonly #listeners = new Set<(study: KeptStudy) => void>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async load(identify: (study: KeptStudy) => StudyId | undefined): Promise<void> {
    for await (const folder of this.#store.open()) {
      const study = KeptStudy.restore(folder);
      if (study === undefined) continue;
      study.studyId = identify(study);
      this.#add(study);
    }
  }

  studies(): readonly KeptStudy[] {
    return [...this.#studies.values()];
  }

  byUid(studyInstanceUid: string): KeptStudy | undefined {
    return this.#byUid.get(studyInstanceUid);
  }

  byStudyId(studyId: StudyId): KeptStudy | undefined {
    return this.#byStudyId.get(studyId);
  }

  /** The study of this UID, made by `describe` if there is none. Two associations that send one study get one. */
  async obtain(studyInstanceUid: string, describe: () => StudyCreated): Promise<KeptStudy> {
    const kept = this.#byUid.get(studyInstanceUid);
    if (kept !== undefined) return kept;
    const underway = this.#creating.get(studyInstanceUid);
    if (underway !== undefined) return underway;
    const creation = this.#create(describe()).finally(() => this.#creating.delete(studyInstanceUid));
    this.#creating.set(studyInstanceUid, creation);
    return creation;
  }

  /** Tells everyone that a study gained an object, a version or a state. */
  changed(study: KeptStudy): void {
    if (study.studyId !== undefined) this.#byStudyId.set(study.studyId, study);
    for (const listener of this.#listeners) listener(study);
  }

  onChange(listener: (study: KeptStudy) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #create(created: StudyCreated): Promise<KeptStudy> {
    const study = await KeptStudy.create(await this.#store.createStudy(), created);
    this.#add(study);
    return study;
  }

  #add(study: KeptStudy): void {
    this.#studies.set(study.ref, study);
    this.#byUid.set(study.created.studyInstanceUid, study);
    if (study.studyId !== undefined) this.#byStudyId.set(study.studyId, study);
  }
}
