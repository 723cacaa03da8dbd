/**
 * Stands between a box and its log and remembers what was acknowledged: after a crash all of it must be there again.
 */
import { equalBytes } from '../../firmware/src/encoding/bytes.ts';
import type { AppendLog, ReplaceableLog } from '../../firmware/src/ports.ts';
import { noAnswer, type BlockEvents } from './block-events.ts';

export class LogWatch {
  /** What the log may hold from its start on: one list, or during `replace` the old one or the new. */
  #acknowledged: Uint8Array[][] = [[]];

  /** The log as the box gets it. `events`: of a block log. */
  watched(log: ReplaceableLog, events?: BlockEvents): ReplaceableLog {
    return {
      get length() {
        return log.length;
      },
      read: () => log.read(),
      at: (index) => log.at(index),
      close: () => log.close(),
      append: async (records) => {
        await log.append(records);
        for (const list of this.#acknowledged) list.push(...records);
        if (events?.written(records) === false) await noAnswer();
      },
      replace: async (records) => {
        const before = this.#acknowledged;
        this.#acknowledged = [...before, [...records]];
        await log.replace(records);
        this.#acknowledged = [[...records]];
      },
    };
  }

  /** How many records the log lacks that it had acknowledged. What it holds now counts from here on. */
  async reopened(log: AppendLog): Promise<number> {
    const records: Uint8Array[] = [];
    for await (const record of log.read()) records.push(record.slice());
    const lost = Math.min(...this.#acknowledged.map((list) => list.length - agreeing(list, records)));
    this.#acknowledged = [records];
    return lost;
  }

  /** What the log holds, as far as it was acknowledged. */
  get held(): readonly Uint8Array[] {
    return this.#acknowledged[0] ?? [];
  }

  /** The log was put aside: nothing is expected of the next one. */
  forget(): void {
    this.#acknowledged = [[]];
  }
}

/** Length of the common start. */
function agreeing(expected: readonly Uint8Array[], found: readonly Uint8Array[]): number {
  const differing = expected.findIndex(
    (record, index) => !equalBytes(record, found[index] ?? new Uint8Array()),
  );
  return differing === -1 ? expected.length : differing;
}
