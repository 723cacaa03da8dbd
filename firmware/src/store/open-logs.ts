import type { AppendLog } from '../ports.ts';
import { openLogsMax } from './limits.ts';

/**
 * Keeps the logs that were used last open: a box keeps more studies than a process may hold files, and opening a log
 * reads and verifies all of it.
 */
export class OpenLogs {
  readonly #open: (path: string) => Promise<AppendLog>;
  readonly #logs = new Map<string, Promise<AppendLog>>();
  readonly #users = new Map<string, number>();

  constructor(open: (path: string) => Promise<AppendLog>) {
    this.#open = open;
  }

  /** Runs with the log of this path open; it stays open while anyone uses it. */
  async use<Result>(path: string, run: (log: AppendLog) => Promise<Result>): Promise<Result> {
    this.#users.set(path, (this.#users.get(path) ?? 0) + 1);
    try {
      return await run(await this.#opened(path));
    } finally {
      const users = (this.#users.get(path) ?? 1) - 1;
      if (users === 0) this.#users.delete(path);
      else this.#users.set(path, users);
      await this.#closeUnused(openLogsMax);
    }
  }

  #opened(path: string): Promise<AppendLog> {
    const log = this.#logs.get(path) ?? this.#open(path);
    // Set again, so that the map's order is the order of last use.
    this.#logs.delete(path);
    this.#logs.set(path, log);
    // One that does not open is tried again by its next user; one that fails later stays, to be closed with the others.
    log.catch(() => {
      if (this.#logs.get(path) === log) this.#logs.delete(path);
    });
    return log;
  }

  async close(): Promise<void> {
    await this.#closeUnused(0);
  }

  async #closeUnused(keep: number): Promise<void> {
    for (const [path, log] of this.#logs) {
      if (this.#logs.size <= keep) return;
      if (this.#users.has(path)) continue;
      this.#logs.delete(path);
      await (await log).close();
    }
  }
}
