/**
 * Stands between a box and a log whose oldest records it drops, and remembers what was acknowledged and not dropped:
 * after a crash all of it must be there again.
 */
import { equalBytes } from '../../firmware/src/encoding/bytes.ts';
import type { PrunableLog } from '../../firmware/src/ports.ts';
import { noAnswer, type BlockEvents } from './block-events.ts';

export class PrunedLogWatch {
  /** By index. */
  readonly #acknowledged = new Map<number, Uint8Array>();

  /** The log as the box gets it. */
  watched(log: PrunableLog, events: BlockEvents): PrunableLog {
    return {
      get first() {
        return log.first;
      },
      get length() {
        return log.length;
      },
      read: () => log.read(),
      at: (index) => log.at(index),
      bytes: () => log.bytes(),
      close: () => log.close(),
      append: async (records) => {
        const index = log.length;
        await log.append(records);
        for (const [offset, record] of records.entries())
          this.#acknowledged.set(index + offset, record.slice());
        if (!events.written(records)) await noAnswer();
      },
      // What is to be dropped may be gone from here on, whether the request ends or not.
      dropBefore: (index) => {
        events.drops(index);
        this.#forget((held) => held < index);
        return log.dropBefore(index);
      },
      restartAt: (index) => {
        this.#forget(() => true);
        return log.restartAt(index);
      },
    };
  }

  /** How many records the log lacks that it had acknowledged. What it holds now counts from here on. */
  async reopened(log: PrunableLog): Promise<number> {
    let lost = 0;
    for (const [index, record] of this.#acknowledged) {
      const isHeld = index >= log.first && index < log.length;
      if (!isHeld || !equalBytes(new Uint8Array(await log.at(index)), record)) lost++;
    }
    this.#acknowledged.clear();
    let index = log.first;
    for await (const record of log.read()) this.#acknowledged.set(index++, record.slice());
    return lost;
  }

  /** What the log holds, as far as it was acknowledged and not dropped. */
  get held(): readonly Uint8Array[] {
    return [...this.#acknowledged.values()];
  }

  #forget(isDropped: (index: number) => boolean): void {
    for (const index of this.#acknowledged.keys()) if (isDropped(index)) this.#acknowledged.delete(index);
  }
}
