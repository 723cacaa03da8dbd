/**
 * The entries of one destination's queue. What moves is known at once and on disk a little later: reception never
 * waits for a write, and after a power cut only what moved in that time is sent once more.
 */
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import { AppError } from '../errors.ts';
import type { Clock, HealthBoard, KeyValueChange, KeyValueStore, Logger, Timer } from '../ports.ts';
import { entryFlushMs } from './limits.ts';
import { decodeEntry, encodeEntry, newEntry, type QueueEntry } from './queue-entry.ts';

export interface QueueEntriesOptions {
  /** The destination's name. */
  readonly destination: string;
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

const beganPrefix = 'forwarding/began/';

export class QueueEntries {
  readonly #options: QueueEntriesOptions;
  readonly #prefix: string;
  readonly #entries = new Map<string, QueueEntry>();
  /** Studies whose entry on disk is behind. */
  readonly #behind = new Set<string>();
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: QueueEntriesOptions) {
    this.#options = options;
    this.#prefix = `forwarding/study/${options.destination}/`;
  }

  async load(): Promise<void> {
    for await (const [key, value] of this.#options.store.list(this.#prefix))
      this.#entries.set(key.slice(this.#prefix.length), decodeEntry(value));
  }

  get(studyRef: string): QueueEntry | undefined {
    return this.#entries.get(studyRef);
  }

  /** Known at once, on disk within `entryFlushMs`. */
  change(studyRef: string, change: Partial<QueueEntry>): QueueEntry {
    const at = this.#options.clock.now();
    const entry = { ...(this.#entries.get(studyRef) ?? newEntry), ...change, at };
    this.#entries.set(studyRef, entry);
    this.#behind.add(studyRef);
    this.#timer ??= this.#options.clock.setTimer(entryFlushMs, () => void this.#flushNow());
    return entry;
  }

  /** Known at once, on disk when it resolves. @throws AppError STORE_FAILED. */
  async save(studyRef: string, change: Partial<QueueEntry>): Promise<void> {
    this.change(studyRef, change);
    await this.flush();
  }

  /** Everything is on disk when it resolves. @throws AppError STORE_FAILED; it is tried again at the next change. */
  flush(): Promise<void> {
    const written = this.#writing.then(() => this.#write());
    this.#writing = Promise.allSettled([written]).then(() => undefined);
    return written;
  }

  /** Whether this destination forwards what modalities send since an earlier start. */
  async hasBegun(): Promise<boolean> {
    return (await this.#options.store.get(beganPrefix + this.#options.destination)) !== undefined;
  }

  /** Forwarding begins behind these studies: what a box kept before it had this destination is not sent by itself. */
  async begin(held: readonly (readonly [studyRef: string, objects: number])[]): Promise<void> {
    const at = this.#options.clock.now();
    const entries = held.map(([ref, objects]): readonly [string, QueueEntry] => [
      ref,
      { ...newEntry, taken: objects, before: objects, notified: objects, committed: objects, at },
    ]);
    await this.#options.store.write([
      { put: beganPrefix + this.#options.destination, value: encodeCanonical(at) },
      ...entries.map(([ref, entry]) => ({ put: this.#prefix + ref, value: encodeEntry(entry) })),
    ]);
    for (const [ref, entry] of entries) this.#entries.set(ref, entry);
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#flushNow();
  }

  async #write(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const refs = [...this.#behind];
    if (refs.length === 0) return;
    const changes = refs.flatMap((ref): KeyValueChange[] => {
      const entry = this.#entries.get(ref);
      return entry === undefined ? [] : [{ put: this.#prefix + ref, value: encodeEntry(entry) }];
    });
    this.#behind.clear();
    try {
      await this.#options.store.write(changes);
    } catch (error) {
      for (const ref of refs) this.#behind.add(ref);
      throw error;
    }
  }

  /** A failure loses nothing, since what is not written is sent again after a restart; it is an alarm all the same. */
  async #flushNow(): Promise<void> {
    const { destination, health, logger, clock } = this.#options;
    const subject = `forwarding to ${destination}`;
    try {
      await this.flush();
      health.clear('STORE_FAILED', subject);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      logger.error({ destination, error }, 'the place in a forwarding queue cannot be written');
      health.raise('STORE_FAILED', subject, error.message);
      if (!this.#closed) this.#timer ??= clock.setTimer(entryFlushMs, () => void this.#flushNow());
    }
  }
}

/**
 * Forgets that destinations began which are configured no longer: put back later, they begin anew instead of getting
 * everything that came in between.
 */
export async function forgetOthers(
  store: KeyValueStore,
  names: readonly string[],
  logger: Logger,
): Promise<void> {
  for await (const [key, value] of store.list(beganPrefix)) {
    const name = key.slice(beganPrefix.length);
    if (names.includes(name)) continue;
    logger.warn({ destination: name, since: decodeCanonical(value) }, 'no longer a destination');
    await store.write([{ delete: key }]);
  }
}
