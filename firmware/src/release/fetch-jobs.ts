/** Grants to this institution and how far their studies have come; on disk before anything is asked. */
import { decodeCanonical, encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import type { BasisId, StudyId } from '../ledger/types.ts';
import type { InstitutionId, KeyValueChange, KeyValueStore } from '../ports.ts';

export type FetchState =
  /** The grant is final; a receipt is still to be asked for. */
  | 'granted'
  /** The opening receipt is final; objects may be streamed under it, again after a break. */
  | 'opened'
  /** Everything is verified and on disk; the closing receipt is missing. */
  | 'kept'
  | 'done'
  | 'refused';

export interface FetchJob {
  /** Of a grant, a referral or an emergency. */
  readonly grantId: BasisId;
  readonly studyId: StudyId;
  readonly source: InstitutionId;
  /** Its transaction, from which K_g is derived again. */
  readonly grant: Uint8Array;
  /** Height of the block in which it became final, and its place there: the newest of several of a study counts. */
  readonly finalAt: { readonly height: number; readonly place: number };
  /** S of the patient's account here: leads to the local patient ID. */
  readonly patientAccount: Uint8Array | null;
  readonly state: FetchState;
  /** Transaction of the opening receipt as this side signed it; null before it was asked for. */
  readonly open: Uint8Array | null;
  /** Of the version that was taken, for its closing receipt; null before. */
  readonly sizeBucket: number | null;
  /** Why it was refused; else empty. */
  readonly reason: string;
}

function newestFirst(a: FetchJob, b: FetchJob): number {
  return b.finalAt.height - a.finalAt.height || b.finalAt.place - a.finalAt.place;
}

const jobPrefix = 'fetch/';
const cursorKey = 'fetch-cursor';

export class FetchJobs {
  readonly #store: KeyValueStore;
  readonly #jobs = new Map<BasisId, FetchJob>();
  /** The grants of each study. */
  readonly #grants = new Map<StudyId, Set<BasisId>>();
  #cursor = 0;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async load(): Promise<void> {
    for await (const [, value] of this.#store.list(jobPrefix)) {
      const job = decodeCanonical(value) as unknown as FetchJob;
      this.#add(job);
    }
    const cursor = await this.#store.get(cursorKey);
    if (cursor !== undefined) this.#cursor = decodeCanonical(cursor) as number;
  }

  /** Height of the last block whose grants were looked at. */
  get cursor(): number {
    return this.#cursor;
  }

  all(): readonly FetchJob[] {
    return [...this.#jobs.values()];
  }

  get(grantId: BasisId): FetchJob | undefined {
    return this.#jobs.get(grantId);
  }

  /** The newest grant of this study. */
  ofStudy(studyId: StudyId): FetchJob | undefined {
    const jobs = [...(this.#grants.get(studyId) ?? [])].flatMap((grantId) => this.get(grantId) ?? []);
    return jobs.sort(newestFirst)[0];
  }

  async save(job: FetchJob): Promise<FetchJob> {
    await this.#store.write([this.#change(job)]);
    this.#add(job);
    return job;
  }

  /** What a block brought, with the height up to which blocks were looked at. */
  async advance(height: number, jobs: readonly FetchJob[]): Promise<void> {
    await this.#store.write([
      ...jobs.map((job) => this.#change(job)),
      { put: cursorKey, value: encodeCanonical(height) },
    ]);
    for (const job of jobs) this.#add(job);
    this.#cursor = height;
  }

  #add(job: FetchJob): void {
    this.#jobs.set(job.grantId, job);
    const grants = this.#grants.get(job.studyId);
    if (grants === undefined) this.#grants.set(job.studyId, new Set([job.grantId]));
    else grants.add(job.grantId);
  }

  #change(job: FetchJob): KeyValueChange {
    return { put: jobPrefix + job.grantId, value: encodeCanonical(job as unknown as CborValue) };
  }
}
