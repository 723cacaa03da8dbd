import { errorTable, type ErrorCode } from '../errors.ts';
import type { Clock, HealthBoard, HealthItem, Logger, Unsubscribe } from '../ports.ts';

/** What is wrong just now, in memory: rooms raise and clear; a restart begins with an empty board and finds out anew. */
export class Health implements HealthBoard {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #items = new Map<string, HealthItem>();
  readonly #listeners = new Set<() => void>();

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  raise(code: ErrorCode, subject: string, detail: string): void {
    const key = `${code} ${subject}`;
    const earlier = this.#items.get(key);
    if (earlier?.detail === detail) return;
    const { remedy } = errorTable[code];
    this.#items.set(key, { code, subject, detail, since: earlier?.since ?? this.#clock.now(), remedy });
    if (earlier === undefined) this.#logger.warn({ code, subject }, 'health: something is wrong');
    this.#tell();
  }

  clear(code: ErrorCode, subject: string): void {
    if (!this.#items.delete(`${code} ${subject}`)) return;
    this.#logger.info({ code, subject }, 'health: well again');
    this.#tell();
  }

  list(): readonly HealthItem[] {
    return [...this.#items.values()];
  }

  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
