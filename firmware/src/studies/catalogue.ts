import type { StudyId } from '../ledger/types.ts';
import type { ObjectStore, Unsubscribe } from '../ports.ts';
import { KeptStudy } from './kept-study.ts';
import type { StudyCreated } from './manifest.ts';

/** What makes a kept study one: its UID among the box's own and among those routed back; its ledger id if fetched. */
function identityOf({ studyInstanceUid, origin }: Pick<StudyCreated, 'studyInstanceUid' | 'origin'>): string {
  return `${origin.kind} ${origin.kind === 'fetched' ? origin.studyId : studyInstanceUid}`;
}

/** All studies that this box keeps, in memory; built from the manifests at start. */
export class Catalogue {
  readonly #store: ObjectStore;
  readonly #studies = new Map<string, KeptStudy>();
  readonly #creating = new Map<string, Promise<KeptStudy>>();
  readonly #byStudyId = new Map<StudyId, KeptStudy>();
  /** SOP instances that were fetched from elsewhere, to recognise what the own PACS routes back. */
  readonly #fetchedInstances = new Set<string>();
  readonly #listeners = new Set<(study: KeptStudy) => void>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async load(identify: (study: KeptStudy) => StudyId | undefined): Promise<void> {
    for await (const folder of this.#store.open()) {
      const study = KeptStudy.restore(folder);
      if (study === undefined) continue;
      study.studyId = identify(study);
      this.#studies.set(identityOf(study.created), study);
      this.#index(study);
    }
  }

  studies(): readonly KeptStudy[] {
    return [...this.#studies.values()];
  }

  byStudyId(studyId: StudyId): KeptStudy | undefined {
    return this.#byStudyId.get(studyId);
  }

  wasFetched(sopInstanceUid: string): boolean {
    return this.#fetchedInstances.has(sopInstanceUid);
  }

  /** The study that this describes, made if there is none. Two associations that send one study get one. */
  async obtain(described: StudyCreated): Promise<KeptStudy> {
    const identity = identityOf(described);
    const kept = this.#studies.get(identity);
    if (kept !== undefined) return kept;
    const underway = this.#creating.get(identity);
    if (underway !== undefined) return underway;
    const creation = this.#create(identity, described).finally(() => this.#creating.delete(identity));
    this.#creating.set(identity, creation);
    return creation;
  }

  /** Tells everyone that a study gained an object, a version or a state. */
  changed(study: KeptStudy): void {
    this.#index(study);
    for (const listener of this.#listeners) listener(study);
  }

  onChange(listener: (study: KeptStudy) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #create(identity: string, described: StudyCreated): Promise<KeptStudy> {
    const study = await KeptStudy.create(await this.#store.createStudy(), described);
    this.#studies.set(identity, study);
    return study;
  }

  #index(study: KeptStudy): void {
    if (study.studyId !== undefined) this.#byStudyId.set(study.studyId, study);
    if (study.created.origin.kind !== 'fetched') return;
    for (const object of study.objects) this.#fetchedInstances.add(object.sopInstanceUid);
  }
}
