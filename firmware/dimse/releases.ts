/** Associations that are being released while nobody waits for it. */
import type { Logger, StorageAssociation } from '../src/ports.ts';

export class Releases {
  readonly #logger: Logger;
  readonly #open = new Set<StorageAssociation>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** A peer that does not answer the release in time is aborted by the association itself. */
  release(association: StorageAssociation): void {
    this.#open.add(association);
    void this.#released(association);
  }

  /** Aborts those that are not released yet. Resolves when they are closed. */
  async stop(): Promise<void> {
    await Promise.all([...this.#open].map((association) => association.abort()));
  }

  async #released(association: StorageAssociation): Promise<void> {
    try {
      await association.release();
    } catch (error) {
      // Every object was answered by then: nothing depends on how the association ends.
      this.#logger.warn({ err: error }, 'an association could not be released');
    } finally {
      this.#open.delete(association);
    }
  }
}
