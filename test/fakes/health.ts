import type { ErrorCode } from '../../firmware/src/errors.ts';
import { errorTable } from '../../firmware/src/errors.ts';
import type { HealthBoard, HealthItem, Unsubscribe } from '../../firmware/src/ports.ts';

/** A board whose items have no time. */
export class MemoryHealthBoard implements HealthBoard {
  readonly #items = new Map<string, HealthItem>();

  raise(code: ErrorCode, subject: string, detail: string): void {
    this.#items.set(`${code} ${subject}`, {
      code,
      subject,
      detail,
      since: 0,
      remedy: errorTable[code].remedy,
    });
  }

  clear(code: ErrorCode, subject: string): void {
    this.#items.delete(`${code} ${subject}`);
  }

  list(): readonly HealthItem[] {
    return [...this.#items.values()];
  }

  onChange(): Unsubscribe {
    return () => undefined;
  }
}
