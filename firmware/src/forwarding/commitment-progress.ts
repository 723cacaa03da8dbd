/** Of which objects of a study a destination was asked for storage commitment, and what its answers change. */
import type { Clock } from '../ports.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import type { ForwardQueue } from './forward-queue.ts';
import { commitmentFailuresMax } from './limits.ts';
import type { QueueEntries } from './queue-entries.ts';
import { newEntry, type QueueEntry } from './queue-entry.ts';

export interface CommitmentProgressOptions {
  readonly queue: ForwardQueue;
  readonly entries: QueueEntries;
  readonly clock: Clock;
}

export class CommitmentProgress {
  readonly #options: CommitmentProgressOptions;

  constructor(options: CommitmentProgressOptions) {
    this.#options = options;
  }

  /** Places of the objects that the destination took and was not asked about. */
  open(study: KeptStudy): readonly number[] {
    const { committed, taken, setAside, givenUp } = this.#entry(study);
    const refused = [...setAside.map(({ range }) => range), ...givenUp];
    const isRefused = (index: number): boolean =>
      refused.some(([first, count]) => first <= index && index < first + count);
    const { queue } = this.#options;
    return Array.from({ length: Math.max(0, taken - committed) }, (_, i) => committed + i).filter(
      (index) => !isRefused(index) && !queue.sentItself(study, study.objects[index]),
    );
  }

  /** On disk when it resolves. */
  asked(study: KeptStudy, objects: number): Promise<void> {
    return this.#options.entries.save(study.ref, { committed: objects });
  }

  /** Nobody knows: to be asked again. */
  unanswered(study: KeptStudy, indices: readonly number[]): void {
    const { committed } = this.#entry(study);
    this.#options.entries.change(study.ref, { committed: Math.min(committed, ...indices) });
  }

  /** The destination keeps what it was asked about. */
  committed(study: KeptStudy): void {
    if (this.#entry(study).commitmentFailures > 0)
      this.#options.entries.change(study.ref, { commitmentFailures: 0 });
  }

  /** To be sent again, and set aside when that did not help for so often. On disk when it resolves. */
  async denied(study: KeptStudy, indices: readonly number[], reason: string): Promise<void> {
    const { queue, entries, clock } = this.#options;
    const failures = this.#entry(study).commitmentFailures + 1;
    if (failures > commitmentFailuresMax) {
      for (const index of indices) queue.setAsideAt(study, index, reason, clock.now());
      await entries.save(study.ref, { commitmentFailures: 0 });
      return;
    }
    this.unanswered(study, indices);
    queue.sendAgain(study, indices);
    await entries.save(study.ref, { commitmentFailures: failures });
  }

  #entry(study: KeptStudy): Omit<QueueEntry, 'at'> {
    return this.#options.queue.entryOf(study) ?? newEntry;
  }
}
