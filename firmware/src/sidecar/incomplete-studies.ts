/** Studies of which the archive gave less than it had listed: told until what is missing came after all. */
import type { HealthBoard } from '../ports.ts';
import type { KeptStudy } from '../studies/kept-study.ts';

export class IncompleteStudies {
  readonly #health: HealthBoard;
  readonly #refs = new Set<string>();

  constructor(health: HealthBoard) {
    this.#health = health;
  }

  /** A study of which the archive gave all that it has. */
  pulled(study: KeptStudy): void {
    if (missingOf(study) === 0) return;
    this.#refs.add(study.ref);
    this.#tell(study);
  }

  /** Something came to a study. */
  changed(study: KeptStudy): void {
    if (this.#refs.has(study.ref)) this.#tell(study);
  }

  #tell(study: KeptStudy): void {
    const subject = `study ${study.ref}`;
    const missing = missingOf(study);
    if (missing > 0) {
      const detail = `The archive gave ${missing} objects fewer than it had listed.`;
      this.#health.raise('STUDY_INCOMPLETE', subject, detail);
    } else {
      this.#refs.delete(study.ref);
      this.#health.clear('STUDY_INCOMPLETE', subject);
    }
  }
}

/** How many instances fewer are held than the reference names. */
export function missingOf({ reference, instanceCount }: KeptStudy): number {
  return Math.max(0, (reference?.instances ?? 0) - instanceCount);
}
