/**
 * Registers the past of the hospital's archive by reference: the newest day first, one day after the other, no faster
 * than is allowed. Which day is next stands on disk: a crash repeats the day that was under way, and what is known by
 * then is passed over.
 */
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import { AppError } from '../errors.ts';
import type {
  ArchivedStudy,
  ArchiveScu,
  Clock,
  HealthBoard,
  KeyValueStore,
  Logger,
  Service,
  Unsubscribe,
} from '../ports.ts';
import { retryPauseMs } from '../retry/pause.ts';
import { dayBefore, dayOf, daysFrom } from './days.ts';
import { studyTriesMax, windowLookMs } from './limits.ts';
import type { Referenced, Referencing } from './referencing.ts';

export interface BackfillPlan {
  /** The oldest day, DA. */
  readonly from: string;
  /** The newest day; without it the day on which the backfill began. */
  readonly to: string | undefined;
  readonly studiesPerMinute: number;
  /** Whether the archive may be asked now. */
  readonly isOpen: (now: number) => boolean;
}

export interface BackfillOptions {
  readonly plan: BackfillPlan;
  readonly archive: ArchiveScu;
  readonly referencing: Referencing;
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

/** As it stands on disk. */
interface Place {
  /** Of the plan that it belongs to: with other days it begins anew. */
  readonly from: string;
  readonly to: string;
  /** The day that is next; before `from` when all are done. */
  readonly day: string;
  readonly found: number;
  readonly registered: number;
  readonly leftOut: number;
  readonly begunAt: number;
  readonly endedAt: number | null;
}

export interface BackfillProgress extends Place {
  readonly state: 'running' | 'held back' | 'failing' | 'done';
  readonly daysDone: number;
  readonly days: number;
  /** Why the archive is asked again later; empty while it answers. */
  readonly reason: string;
}

const key = 'sidecar/backfill';

export class Backfill implements Service {
  readonly #options: BackfillOptions;
  readonly #stopping = new AbortController();
  readonly #listeners = new Set<() => void>();
  #place: Place | undefined;
  /** Studies of the day under way that the archive listed and then could not tell of, with how often. */
  readonly #failures = new Map<string, number>();
  #reason = '';
  #nextAt = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: BackfillOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { plan, store, clock } = this.#options;
    const stored = await store.get(key);
    const before = stored === undefined ? undefined : (decodeCanonical(stored) as unknown as Place);
    const to = plan.to ?? (before?.from === plan.from ? before.to : dayOf(clock.now()));
    const counts = { found: 0, registered: 0, leftOut: 0 };
    this.#place =
      before?.from === plan.from && before.to === to
        ? before
        : { from: plan.from, to, day: to, ...counts, begunAt: clock.now(), endedAt: null };
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Undefined before it was started. */
  progress(): BackfillProgress | undefined {
    const place = this.#place;
    if (place === undefined) return undefined;
    const days = daysFrom(place.from, place.to);
    const daysDone = days - daysFrom(place.from, place.day);
    return { ...place, state: this.#state(place), daysDone, days, reason: this.#reason };
  }

  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #state({ endedAt }: Place): BackfillProgress['state'] {
    if (endedAt !== null) return 'done';
    if (this.#reason !== '') return 'failing';
    const { plan, clock } = this.#options;
    return plan.isOpen(clock.now()) ? 'running' : 'held back';
  }

  async #run(): Promise<void> {
    const { health, archive } = this.#options;
    for (let failures = 0; !this.#stopping.signal.aborted;) {
      const place = this.#place;
      if (place === undefined || place.endedAt !== null) return;
      try {
        await this.#day(place);
        failures = 0;
        this.#reason = '';
        health.clear('ARCHIVE_FAILED', archive.aeTitle);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        await this.#failed(error, place, retryPauseMs(failures));
        failures += 1;
      }
    }
  }

  /** The day is read again from its beginning, and counted anew but for what was registered: that is known by then. */
  async #failed(error: unknown, place: Place, pauseMs: number): Promise<void> {
    const { clock, health, archive, logger } = this.#options;
    this.#place = { ...place, registered: this.#place?.registered ?? place.registered };
    this.#reason = error instanceof AppError ? error.message : 'a fault of this box';
    logger.warn(
      { archive: archive.aeTitle, error },
      'a day of the archive was not read, will be tried again',
    );
    health.raise('ARCHIVE_FAILED', archive.aeTitle, this.#reason);
    this.#tell();
    await Promise.allSettled([clock.sleep(pauseMs, this.#stopping.signal)]);
  }

  async #day(before: Place): Promise<void> {
    const { archive, referencing, clock, logger } = this.#options;
    let place = before;
    for await (const listed of archive.studiesOf(before.day, this.#stopping.signal)) {
      const isNew = !referencing.isKnown(listed.studyInstanceUid);
      if (isNew) await this.#turn();
      const outcome = isNew ? await this.#refer(listed) : 'known';
      place = {
        ...place,
        found: place.found + 1,
        registered: place.registered + (outcome === 'registered' ? 1 : 0),
        leftOut: place.leftOut + (outcome === 'left out' ? 1 : 0),
      };
      this.#place = place;
      this.#tell();
    }
    this.#failures.clear();
    const day = dayBefore(before.day);
    const isLast = day < before.from;
    await this.#save({ ...place, day, endedAt: isLast ? clock.now() : null });
    if (isLast) logger.info({ archive: archive.aeTitle, registered: place.registered }, 'backfill is done');
  }

  /** One study that the archive cannot tell of does not stop its day for ever. @throws AppError while it is tried. */
  async #refer(listed: ArchivedStudy): Promise<Referenced> {
    const { referencing, logger, archive } = this.#options;
    try {
      return await referencing.refer(listed, this.#stopping.signal);
    } catch (error) {
      const failures = (this.#failures.get(listed.studyInstanceUid) ?? 0) + 1;
      this.#failures.set(listed.studyInstanceUid, failures);
      const isItsOwn = error instanceof AppError && error.code === 'DELIVERY_FAILED';
      if (!isItsOwn || failures < studyTriesMax) throw error;
      logger.warn({ archive: archive.aeTitle, error }, 'a study of the archive is left out');
      return 'left out';
    }
  }

  /** When the next study may be asked for: in the time window, and not too soon after the last. */
  async #turn(): Promise<void> {
    const { plan, clock } = this.#options;
    while (!plan.isOpen(clock.now())) await clock.sleep(windowLookMs, this.#stopping.signal);
    const wait = this.#nextAt - clock.now();
    if (wait > 0) await clock.sleep(wait, this.#stopping.signal);
    this.#nextAt = Math.max(this.#nextAt, clock.now()) + 60_000 / plan.studiesPerMinute;
  }

  async #save(place: Place): Promise<void> {
    await this.#options.store.write([{ put: key, value: encodeCanonical({ ...place }) }]);
    this.#place = place;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
