/** A piece of a long log, as it is read. Whoever closes it waits for its readers. */
import type { SizedLog } from '../ports.ts';

export class ReadPiece {
  /** Rejected if it cannot be opened. */
  readonly log: Promise<SizedLog>;
  readonly #reads = new Set<Promise<unknown>>();

  constructor(log: Promise<SizedLog>) {
    this.log = log;
  }

  /** The record at this index of the piece. @throws AppError STORE_CORRUPT, STORE_FAILED. */
  async at(index: number): Promise<Uint8Array> {
    const read = this.log.then((log) => log.at(index));
    this.#reads.add(read);
    try {
      return await read;
    } finally {
      this.#reads.delete(read);
    }
  }

  /** Nobody may begin to read it any more. What could not be opened need not be closed: its readers have heard. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#reads);
    const [opened] = await Promise.allSettled([this.log]);
    if (opened.status === 'fulfilled') await opened.value.close();
  }
}
