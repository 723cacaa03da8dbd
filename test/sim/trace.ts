/** What happened in a world, as one hash: equal seeds must give equal ones. Somebody may read along. */
import { createHash } from 'node:crypto';
import { u64 } from '../../firmware/src/encoding/bytes.ts';

export type ReadAlong = (timeMs: number, event: string) => void;

export class Trace {
  readonly #hash = createHash('sha256');
  readonly #readAlong: ReadAlong | undefined;

  constructor(readAlong?: ReadAlong) {
    this.#readAlong = readAlong;
  }

  /** `timeMs`: virtual milliseconds since the world began. */
  note(timeMs: number, event: string): void {
    this.#hash.update(u64(timeMs)).update(event);
    this.#readAlong?.(timeMs, event);
  }

  /** Ends the trace. */
  hash(): string {
    return this.#hash.digest('hex');
  }
}
