/**
 * Studies of which the archive gave less than it had listed: told, also after a restart, until what is missing came after
 * all or an administrator accepts that it will not. Who accepted what stands on disk.
 */
import { encodeCanonical } from '../encoding/canonical-cbor.ts';
import type { Clock, HealthBoard, KeyValueStore, Logger } from '../ports.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { KeptStudy } from '../studies/kept-study.ts';

export interface IncompleteStudiesOptions {
  /** AE title of the archive. */
  readonly archive: string;
  readonly catalogue: Catalogue;
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

export interface IncompleteStudy {
  readonly study: KeptStudy;
  /** Instances that the archive listed and did not give. */
  readonly missing: number;
  /** When it was pulled. */
  readonly at: number;
}

export type Accepted = { readonly kind: 'done' } | { readonly kind: 'refused'; readonly reason: string };

const acceptedPrefix = 'sidecar/incomplete-accepted/';

export class IncompleteStudies {
  readonly #options: IncompleteStudiesOptions;
  readonly #studies = new Map<string, KeptStudy>();

  constructor(options: IncompleteStudiesOptions) {
    this.#options = options;
  }

  /** Those of earlier runs that nobody accepted. */
  async load(): Promise<void> {
    const accepted = new Set<string>();
    for await (const [key] of this.#options.store.list(acceptedPrefix))
      accepted.add(key.slice(acceptedPrefix.length));
    for (const study of this.#options.catalogue.studies())
      if (study.pulled !== undefined && missingOf(study) > 0 && !accepted.has(study.ref))
        this.#studies.set(study.ref, study);
    this.#tell();
  }

  /** Newest first. */
  list(): readonly IncompleteStudy[] {
    return [...this.#studies.values()]
      .map((study) => ({ study, missing: missingOf(study), at: study.pulled?.at ?? 0 }))
      .sort((a, b) => b.at - a.at);
  }

  /** A study of which the archive gave all that it has. */
  pulled(study: KeptStudy): void {
    if (missingOf(study) === 0) return;
    this.#studies.set(study.ref, study);
    this.#tell();
  }

  /** Something came to a study. */
  changed(study: KeptStudy): void {
    if (missingOf(study) === 0 && this.#studies.delete(study.ref)) this.#tell();
  }

  /** What is missing is not waited for any more. On disk when it resolves. @throws AppError STORE_FAILED. */
  async accept(studyRef: string, account: string): Promise<Accepted> {
    const { clock, logger, store } = this.#options;
    const study = this.#studies.get(studyRef);
    if (study === undefined)
      return {
        kind: 'refused',
        reason: 'Nothing is missing of this study any more, or somebody accepted it.',
      };
    const missing = missingOf(study);
    const value = encodeCanonical({ account, missing, at: clock.now() });
    await store.write([{ put: acceptedPrefix + studyRef, value }]);
    logger.info({ study: studyRef, account, missing }, 'an incomplete study is accepted as it is');
    this.#studies.delete(studyRef);
    this.#tell();
    return { kind: 'done' };
  }

  #tell(): void {
    const { archive, health } = this.#options;
    const { size } = this.#studies;
    if (size === 0) health.clear('STUDY_INCOMPLETE', archive);
    else {
      const detail = `Studies of which the archive gave fewer objects than it had listed: ${size}.`;
      health.raise('STUDY_INCOMPLETE', archive, detail);
    }
  }
}

/** How many instances fewer are held than the reference names. */
export function missingOf({ reference, instanceCount }: KeptStudy): number {
  return Math.max(0, (reference?.instances ?? 0) - instanceCount);
}
