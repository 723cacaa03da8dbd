/**
 * Pulls a study that is known by reference from the archive when a release needs it: when its owner granted it to
 * somebody, or an administrator asks. The archive sends it by C-STORE to this box like any sender, and its objects join
 * the study; then its bytes are committed to, and can be released.
 */
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import { AppError } from '../errors.ts';
import { isBasis, toStudyId } from '../ledger/index.ts';
import type {
  ArchiveScu,
  Clock,
  FinalBlock,
  HealthBoard,
  KeyValueStore,
  Ledger,
  Logger,
  Service,
  Timer,
  Unsubscribe,
} from '../ports.ts';
import { retryPauseMs } from '../retry/pause.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { IncompleteStudies, missingOf } from './incomplete-studies.ts';
import { pullsAtOnceMax } from './limits.ts';
import { Patience } from './patience.ts';

export interface PullsOptions {
  readonly archive: ArchiveScu;
  readonly catalogue: Catalogue;
  readonly ledger: Ledger;
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
  /** How long the archive may show no sign of life while it is asked for a study. */
  readonly silenceMsMax: number;
}

/** A study that is to be pulled. */
interface Wanted {
  readonly failures: number;
  /** When the next try is due, UTC milliseconds. */
  readonly notBefore: number;
}

const cursorKey = 'sidecar/grants';
const pullPrefix = 'sidecar/pull/';

export class Pulls implements Service {
  readonly #options: PullsOptions;
  readonly #stopping = new AbortController();
  readonly #wanted = new Map<string, Wanted>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #timers = new Set<Timer>();
  /** Of the pulls that run, by their studies. */
  readonly #patience = new Map<string, Patience>();
  /** Of which the archive gave less than it had listed. */
  readonly incomplete: IncompleteStudies;
  readonly #listeners = new Set<() => void>();
  #scanning: Promise<void> = Promise.resolve();
  #cursor = 0;
  #unsubscribes: Unsubscribe[] = [];

  constructor(options: PullsOptions) {
    this.#options = options;
    this.incomplete = new IncompleteStudies({ ...options, archive: options.archive.aeTitle });
  }

  async start(): Promise<void> {
    const { store, ledger, catalogue } = this.#options;
    await this.incomplete.load();
    const cursor = await store.get(cursorKey);
    // Before its first start the box had no study by reference that could have been granted.
    this.#cursor = cursor === undefined ? ledger.head().height : (decodeCanonical(cursor) as number);
    for await (const [key] of store.list(pullPrefix)) this.#want(key.slice(pullPrefix.length));
    this.#unsubscribes = [
      ledger.onFinal(() => this.#scanSoon()),
      catalogue.onChange((study) => this.#changed(study)),
    ];
    this.#scanSoon();
    this.#work();
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    this.#stopping.abort();
    for (const timer of this.#timers) timer.cancel();
    await Promise.allSettled([this.#scanning, ...this.#running.values()]);
  }

  /** Studies that wait for the archive or are coming from it. */
  get count(): number {
    return this.#wanted.size;
  }

  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** On disk when it resolves. What is not known by reference needs no pull. @throws AppError STORE_FAILED. */
  async ask(study: KeptStudy): Promise<void> {
    if (!study.isByReference || this.#wanted.has(study.ref)) return;
    this.#want(study.ref);
    await this.#options.store.write([{ put: pullPrefix + study.ref, value: new Uint8Array(0) }]);
    this.#work();
  }

  #changed(study: KeptStudy): void {
    this.#patience.get(study.ref)?.heard();
    this.incomplete.changed(study);
    // A modality that adds to a study by reference makes it one of bytes: all of it is then needed.
    if (study.isByReference && study.objects.length > 0) this.#askSoon(study);
  }

  #want(studyRef: string): void {
    this.#wanted.set(studyRef, { failures: 0, notBefore: 0 });
    this.#tell();
  }

  #askSoon(study: KeptStudy): void {
    void this.ask(study).catch((error: unknown) => {
      this.#options.logger.error({ study: study.ref, error }, 'a pull cannot be written down');
    });
  }

  // --- grants ---

  #scanSoon(): void {
    this.#scanning = this.#scanning
      .then(() => this.#scan())
      .catch((error: unknown) => {
        this.#options.logger.error({ error }, 'looking for grants of studies by reference failed');
      });
  }

  async #scan(): Promise<void> {
    const { ledger, store } = this.#options;
    if (this.#cursor >= ledger.head().height) return;
    let cursor = this.#cursor;
    for await (const final of ledger.blocks(cursor + 1)) {
      if (this.#stopping.signal.aborted) return;
      for (const study of this.#granted(final)) await this.ask(study);
      cursor = final.block.header.height;
    }
    await store.write([{ put: cursorKey, value: encodeCanonical(cursor) }]);
    this.#cursor = cursor;
  }

  *#granted(final: FinalBlock): Iterable<KeptStudy> {
    for (const { body } of final.transactions) {
      if (!isBasis(body)) continue;
      const study = this.#options.catalogue.byStudyId(toStudyId(body.studyId));
      if (study?.isByReference === true) yield study;
    }
  }

  // --- pulling ---

  /** As many at once as the archive is asked to bear; each is tried until it is there. */
  #work(): void {
    if (this.#stopping.signal.aborted) return;
    const now = this.#options.clock.now();
    for (const [ref, { notBefore }] of this.#wanted) {
      if (this.#running.size >= pullsAtOnceMax) return;
      if (this.#running.has(ref) || notBefore > now) continue;
      const pulled = this.#attempt(ref).finally(() => {
        this.#running.delete(ref);
        this.#work();
      });
      this.#running.set(ref, pulled);
    }
  }

  async #attempt(ref: string): Promise<void> {
    const { archive, catalogue, health, store } = this.#options;
    const study = catalogue.studies().find((each) => each.ref === ref);
    try {
      if (study?.isByReference === true) await this.#pull(study);
      await store.write([{ delete: pullPrefix + ref }]);
      this.#wanted.delete(ref);
      health.clear('ARCHIVE_FAILED', archive.aeTitle);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#failed(ref, error);
    }
    this.#tell();
  }

  #failed(ref: string, error: unknown): void {
    const { archive, clock, health, logger } = this.#options;
    const failures = this.#wanted.get(ref)?.failures ?? 0;
    const pauseMs = retryPauseMs(failures);
    this.#wanted.set(ref, { failures: failures + 1, notBefore: clock.now() + pauseMs });
    logger.warn(
      { study: ref, archive: archive.aeTitle, error },
      'a study was not pulled, will be tried again',
    );
    const reason = error instanceof AppError ? error.message : 'a fault of this box';
    health.raise('ARCHIVE_FAILED', archive.aeTitle, reason);
    const timer = clock.setTimer(pauseMs, () => {
      this.#timers.delete(timer);
      this.#work();
    });
    this.#timers.add(timer);
  }

  async #pull(study: KeptStudy): Promise<void> {
    const { archive, catalogue, clock, logger } = this.#options;
    const moved = await this.#move(study);
    // Each object was on disk here before the archive was told that it arrived.
    const missing = missingOf(study);
    logger.info({ study: study.ref, archive: archive.aeTitle, ...moved, missing }, 'study pulled');
    if (study.objects.length === 0)
      throw new AppError('ARCHIVE_FAILED', `${archive.aeTitle} sent nothing of a study that it lists`);
    // It says itself that it failed to send some: they may come the next time.
    if (missing > 0 && moved.failed > 0)
      throw new AppError('ARCHIVE_FAILED', `${archive.aeTitle} could not send all objects of a study`);
    await study.append({ is: 'pulled', missing, at: clock.now() });
    this.incomplete.pulled(study);
    catalogue.changed(study);
  }

  async #move({ ref, created }: KeptStudy): ReturnType<ArchiveScu['move']> {
    const { archive, clock, silenceMsMax } = this.#options;
    const patience = new Patience({ archive: archive.aeTitle, silenceMsMax, clock });
    this.#patience.set(ref, patience);
    try {
      const signal = AbortSignal.any([this.#stopping.signal, patience.signal]);
      return await archive.move(created.studyInstanceUid, signal, () => patience.heard());
    } finally {
      this.#patience.delete(ref);
      patience.stop();
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
