import type { StudyId } from '../ledger/types.ts';
import type { ObjectStore, Unsubscribe } from '../ports.ts';
import { KeptStudy } from './kept-study.ts';
import type { StudyCreated, StudyDescribed, StudyOrigin } from './manifest.ts';
import { contradict } from './patient-identity.ts';

/**
 * What objects of one study share: its UID among the box's own, whether a modality or the archive named it first, and
 * among those routed back; its ledger id if fetched.
 */
function identityOf({ studyInstanceUid, origin }: Pick<StudyCreated, 'studyInstanceUid' | 'origin'>): string {
  switch (origin.kind) {
    case 'modality':
    case 'referenced':
      return `own ${studyInstanceUid}`;
    case 'returned':
      return `returned ${studyInstanceUid}`;
    case 'fetched':
      return `fetched ${origin.studyId}`;
  }
}

/** Told while the studies are read at a start. */
export interface LoadProgress {
  /** How many are about to be read; some may hold nothing. */
  found(studies: number): void;
  read(study: KeptStudy): void;
}

/** All studies that this box keeps, in memory; built from the manifests at start. */
export class Catalogue {
  readonly #store: ObjectStore;
  /** More than one under a UID only where a UID came with the data of several patients, who are kept apart. */
  readonly #studies = new Map<string, KeptStudy[]>();
  /** The same studies by their UID alone, of whatever origin. */
  readonly #byInstanceUid = new Map<string, KeptStudy[]>();
  readonly #obtaining = new Map<string, Promise<KeptStudy>>();
  readonly #byStudyId = new Map<StudyId, KeptStudy>();
  /** By SOP Instance UID the study that holds it, apart for each origin: what is routed back is held twice. */
  readonly #holders: Readonly<Record<StudyOrigin['kind'], Map<string, KeptStudy>>> = {
    modality: new Map(),
    referenced: new Map(),
    returned: new Map(),
    fetched: new Map(),
  };
  /** How many objects of a study are in there. */
  readonly #indexed = new WeakMap<KeptStudy, number>();
  readonly #listeners = new Set<(study: KeptStudy) => void>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async load(identify: (study: KeptStudy) => StudyId | undefined, progress?: LoadProgress): Promise<void> {
    for await (const found of this.#store.open(undefined, (studies) => progress?.found(studies))) {
      const study = KeptStudy.restore(found);
      if (study === undefined) continue;
      study.studyId = identify(study);
      this.#add(study);
      this.#index(study);
      progress?.read(study);
    }
  }

  studies(): readonly KeptStudy[] {
    return [...this.#studies.values()].flat();
  }

  /** Of everything that is kept; each UID once. */
  studyInstanceUids(): Iterable<string> {
    return this.#byInstanceUid.keys();
  }

  /** Its own, returned and fetched ones; of several patients where the UID came with their data. */
  studiesUnder(studyInstanceUid: string): readonly KeptStudy[] {
    return this.#byInstanceUid.get(studyInstanceUid) ?? [];
  }

  byStudyId(studyId: StudyId): KeptStudy | undefined {
    return this.#byStudyId.get(studyId);
  }

  /** Whether it was fetched from elsewhere: then it is the own PACS that sends it. */
  wasFetched(sopInstanceUid: string): boolean {
    return this.#holders.fetched.has(sopInstanceUid);
  }

  /** The study of this origin that holds the instance. */
  holderOf(sopInstanceUid: string, origin: StudyOrigin['kind']): KeptStudy | undefined {
    return this.#holders[origin].get(sopInstanceUid);
  }

  /** SOP class of the newest version of an instance that is held, whatever its origin. */
  sopClassOf(sopInstanceUid: string): string | undefined {
    const { modality, referenced, returned, fetched } = this.#holders;
    const study = [modality, referenced, returned, fetched].find((holders) => holders.has(sopInstanceUid));
    return study?.get(sopInstanceUid)?.instances(sopInstanceUid).at(-1)?.sopClassUid;
  }

  /** The study that `obtain` would find. */
  find(described: StudyDescribed): KeptStudy | undefined {
    return this.#studies
      .get(identityOf(described))
      ?.find(
        ({ created }) => created.origin.kind === 'fetched' || !contradict(created.patient, described.patient),
      );
  }

  /**
   * The study that this describes, made if there is none. Two associations that send one study get one; an object whose
   * patient contradicts the study's gets a study of its own, so that no patient's images travel under another's grant.
   * (What is fetched under one id is one study; its receiver refuses contradictions.)
   */
  async obtain(described: StudyCreated): Promise<KeptStudy> {
    const identity = identityOf(described);
    const before = this.#obtaining.get(identity) ?? Promise.resolve();
    // One after the other for one UID; that somebody before failed is told to that one alone.
    const obtained = Promise.allSettled([before]).then(() => this.#obtainNext(described));
    this.#obtaining.set(identity, obtained);
    try {
      return await obtained;
    } finally {
      if (this.#obtaining.get(identity) === obtained) this.#obtaining.delete(identity);
    }
  }

  /** This study and those of other patients under its UID, oldest first: several only where the UID came with their data. */
  underUidOf({ created }: KeptStudy): readonly KeptStudy[] {
    return this.#studies.get(identityOf(created)) ?? [];
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

  async #obtainNext(described: StudyCreated): Promise<KeptStudy> {
    const kept = this.find(described);
    if (kept !== undefined) return kept;
    const study = await KeptStudy.create(await this.#store.createStudy(), described);
    this.#add(study);
    return study;
  }

  #add(study: KeptStudy): void {
    const identity = identityOf(study.created);
    this.#studies.set(identity, [...(this.#studies.get(identity) ?? []), study]);
    const { studyInstanceUid } = study.created;
    this.#byInstanceUid.set(studyInstanceUid, [...this.studiesUnder(studyInstanceUid), study]);
  }

  #index(study: KeptStudy): void {
    if (study.studyId !== undefined) this.#byStudyId.set(study.studyId, study);
    const holders = this.#holders[study.created.origin.kind];
    for (const object of study.objects.slice(this.#indexed.get(study)))
      holders.set(object.sopInstanceUid, study);
    this.#indexed.set(study, study.objects.length);
  }
}
