/** Studies that the archive announced (Instance Availability Notification) and that are registered by reference soon after. */
import { randomBytes } from 'node:crypto';
import { toHex, utf8 } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { ArchiveScu, Clock, HealthBoard, KeyValueStore, Logger, Service } from '../ports.ts';
import { retryPauseMs } from '../retry/pause.ts';
import { announcedMax } from './limits.ts';
import type { Referencing } from './referencing.ts';

export interface AnnouncementsOptions {
  readonly archive: ArchiveScu;
  readonly referencing: Referencing;
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

const prefix = 'sidecar/announced/';

export class Announcements implements Service {
  readonly #options: AnnouncementsOptions;
  readonly #stopping = new AbortController();
  /** Studies by the random keys under which they are stored: a key is not encrypted, a value is. */
  readonly #waiting = new Map<string, string>();
  #running: Promise<void> | undefined;

  constructor(options: AnnouncementsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    for await (const [key, value] of this.#options.store.list(prefix))
      this.#waiting.set(key, new TextDecoder().decode(value));
    this.#work();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /**
   * On disk when it resolves. A sender that is not the archive says nothing here; nor is a study taken up that is known,
   * or one too many: the backfill finds it. @throws AppError STORE_FAILED.
   */
  async take(callingAeTitle: string, studyInstanceUid: string): Promise<void> {
    const { archive, referencing, store } = this.#options;
    if (callingAeTitle !== archive.aeTitle || referencing.isKnown(studyInstanceUid)) return;
    if (this.#waiting.size >= announcedMax || [...this.#waiting.values()].includes(studyInstanceUid)) return;
    const key = prefix + toHex(randomBytes(16));
    await store.write([{ put: key, value: utf8(studyInstanceUid) }]);
    this.#waiting.set(key, studyInstanceUid);
    this.#work();
  }

  #work(): void {
    this.#running ??= this.#takeUpAll().finally(() => {
      this.#running = undefined;
    });
  }

  async #takeUpAll(): Promise<void> {
    const { archive, clock, health, logger } = this.#options;
    for (let failures = 0; !this.#stopping.signal.aborted;) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      try {
        await this.#takeUp(...next);
        failures = 0;
        health.clear('ARCHIVE_FAILED', archive.aeTitle);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        // One that the archive cannot tell of keeps no other waiting.
        this.#waiting.delete(next[0]);
        this.#waiting.set(...next);
        logger.warn(
          { archive: archive.aeTitle, error },
          'an announced study was not read, will be tried again',
        );
        const reason = error instanceof AppError ? error.message : 'a fault of this box';
        health.raise('ARCHIVE_FAILED', archive.aeTitle, reason);
        await Promise.allSettled([clock.sleep(retryPauseMs(failures), this.#stopping.signal)]);
        failures += 1;
      }
    }
  }

  async #takeUp(key: string, studyInstanceUid: string): Promise<void> {
    const { archive, referencing, store, logger } = this.#options;
    const { signal } = this.#stopping;
    const listed = await archive.study(studyInstanceUid, signal);
    const outcome = listed === undefined ? 'left out' : await referencing.refer(listed, signal);
    logger.info({ archive: archive.aeTitle, outcome }, 'an announced study was taken up');
    await store.write([{ delete: key }]);
    this.#waiting.delete(key);
  }
}
