import { openLogsMax } from './limits.ts';

/** A log that can close its file and open it again when it is next used. */
export interface RestingLog {
  /** After what is under way. Tells its own later users of a failure, nobody else. */
  rest(): Promise<void>;
}

/** Keeps the logs that were used last open: a box keeps more studies than a process may hold files. */
export class OpenLogs {
  /** In the order of last use. */
  readonly #open = new Set<RestingLog>();
  readonly #users = new Map<RestingLog, number>();

  /** Runs with this log open; it stays open while anyone uses it. */
  async use<Result>(log: RestingLog, run: () => Promise<Result>): Promise<Result> {
    this.#users.set(log, (this.#users.get(log) ?? 0) + 1);
    this.#open.delete(log);
    this.#open.add(log);
    try {
      return await run();
    } finally {
      const users = (this.#users.get(log) ?? 1) - 1;
      if (users === 0) this.#users.delete(log);
      else this.#users.set(log, users);
      await this.#restUnused();
    }
  }

  /** Lets this one rest when its users of this moment are done. */
  async rest(log: RestingLog): Promise<void> {
    if (this.#open.delete(log)) await log.rest();
  }

  /** As `rest`, those that nobody uses at this moment; each once, though a sender may open it again meanwhile. */
  async restIdle(): Promise<void> {
    for (const log of [...this.#open]) if (!this.#users.has(log)) await this.rest(log);
  }

  /** As `rest`, all of them. */
  async close(): Promise<void> {
    for (const log of this.#open) await this.rest(log);
  }

  async #restUnused(): Promise<void> {
    for (const log of this.#open) {
      if (this.#open.size <= openLogsMax) return;
      if (!this.#users.has(log)) await this.rest(log);
    }
  }
}
