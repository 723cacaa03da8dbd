import type { StudyId } from '../ledger/types.ts';
import { Turns } from './turns.ts';

/** One at a time for each study: two grants of one study must not write into it side by side. */
export class StudyTurns {
  readonly #turns = new Map<StudyId, { readonly turns: Turns; users: number }>();

  async take<Result>(studyId: StudyId, run: () => Promise<Result>): Promise<Result> {
    const entry = this.#turns.get(studyId) ?? { turns: new Turns(1), users: 0 };
    this.#turns.set(studyId, entry);
    entry.users += 1;
    try {
      return await entry.turns.take(run);
    } finally {
      entry.users -= 1;
      if (entry.users === 0) this.#turns.delete(studyId);
    }
  }
}
