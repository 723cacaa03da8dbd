/** Alarms about single studies: few enough to be read, however many studies are concerned, and gone when they are not true. */
import type { AppError } from '../errors.ts';
import type { HealthBoard, Logger } from '../ports.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { studyAlarmsMax } from './limits.ts';

/** Study UIDs that came with the data of several patients: one alarm for each, until the restart. */
export class SharedStudies {
  readonly #health: HealthBoard;
  readonly #logger: Logger;
  readonly #logged = new WeakSet<KeptStudy>();
  /** The first study of each such UID: those with an alarm of their own, and those that are counted together. */
  readonly #shown = new Set<KeptStudy>();
  readonly #further = new Set<KeptStudy>();

  constructor(options: { readonly health: HealthBoard; readonly logger: Logger }) {
    this.#health = options.health;
    this.#logger = options.logger;
  }

  /** An object of `study` came; `underItsUid` are the studies of its UID, oldest first, one for each patient. */
  heed(study: KeptStudy, underItsUid: readonly KeptStudy[]): void {
    const [first] = underItsUid;
    if (first === undefined || underItsUid.length < 2 || this.#logged.has(study)) return;
    this.#logged.add(study);
    this.#logger.warn(
      { study: study.ref, first: first.ref },
      'objects of more than one patient under one study UID, kept apart',
    );
    if (this.#shown.has(first) || this.#shown.size < studyAlarmsMax) {
      this.#shown.add(first);
      this.#health.raise(
        'STUDY_SHARED',
        `study ${first.ref}`,
        `Objects of ${underItsUid.length} patients came under one Study Instance UID; each patient has a study of its own.`,
      );
      return;
    }
    this.#further.add(first);
    this.#health.raise(
      'STUDY_SHARED',
      'further studies',
      `${this.#further.size} further Study Instance UIDs came with the objects of several patients.`,
    );
  }
}

/** Senders whose study is full: each has an alarm until it sends something else that is taken. */
export class FullStudies {
  readonly #health: HealthBoard;
  readonly #studies = new Map<string, KeptStudy>();

  constructor(health: HealthBoard) {
    this.#health = health;
  }

  refused(callingAeTitle: string, study: KeptStudy, error: AppError): void {
    // So many at once are read by nobody; each sender is told by itself.
    if (this.#studies.size >= studyAlarmsMax && !this.#studies.has(callingAeTitle)) return;
    this.#studies.set(callingAeTitle, study);
    this.#health.raise('STUDY_FULL', callingAeTitle, error.message);
  }

  /** It went on to another study. Smaller objects of the full one may still be taken: larger ones are refused again. */
  taken(callingAeTitle: string, study: KeptStudy): void {
    const full = this.#studies.get(callingAeTitle);
    if (full === undefined || full === study) return;
    this.#studies.delete(callingAeTitle);
    this.#health.clear('STUDY_FULL', callingAeTitle);
  }
}
