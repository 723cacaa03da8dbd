/**
 * Keeps the certificates of DICOM over TLS up to date without a restart: looks when their files change, and now and
 * then. A set that is not good leaves the one in use in use, with an alarm; one that ends soon is told in time.
 */
import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { AppError } from '../errors.ts';
import type { Clock, HealthBoard, Logger, Service, Timer, Unsubscribe } from '../ports.ts';
import { readCertificateSet, type CertificateFiles, type CertificateSet } from './certificate-set.ts';
import {
  certificateLookMs,
  certificateSettleMs,
  certificateUrgentMs,
  certificateWarningMs,
} from './limits.ts';

/** Calls back when something in the folder has changed. @throws if the folder cannot be watched. */
export type WatchFolder = (
  folder: string,
  changed: () => void,
  failed: (error: Error) => void,
) => Unsubscribe;

/** Takes a set into use, for connections from now on. @throws AppError for a port that cannot be opened. */
export type UseCertificates = (set: CertificateSet) => void | Promise<void>;

export interface DicomCertificatesOptions {
  readonly files: CertificateFiles;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
  /** Asks the operating system by default. */
  readonly watchFolder?: WatchFolder;
}

const subject = 'DICOM TLS';
const dayMs = 86_400_000;

export class DicomCertificates implements Service {
  readonly #options: DicomCertificatesOptions;
  readonly #watches: Unsubscribe[] = [];
  readonly #listeners = new Set<() => void>();
  #inUse: { readonly set: CertificateSet; readonly since: number } | undefined;
  #use: UseCertificates | undefined;
  /** Why the newest look changed nothing. */
  #fault: AppError | undefined;
  #looking: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: DicomCertificatesOptions) {
    this.#options = options;
  }

  /** The set in use, for connections of our own too, and since when (UTC milliseconds); undefined as long as there was no good one. */
  get inUse(): { readonly set: CertificateSet; readonly since: number } | undefined {
    return this.#inUse;
  }

  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves after the first look; whether it found a good set is told by `inUse` and the health list. */
  async start(): Promise<void> {
    const { certificateFile, keyFile, caFiles } = this.#options.files;
    const folders = new Set([certificateFile, keyFile, ...caFiles].map((file) => dirname(file)));
    for (const folder of folders) this.#watch(folder);
    await this.#lookNow();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    for (const unwatch of this.#watches) unwatch();
    await this.settled();
  }

  /** The one set in use and each later one go to the port that is served. Undefined: to none any more. */
  async serve(use: UseCertificates | undefined): Promise<void> {
    this.#use = use;
    if (this.#inUse !== undefined) await use?.(this.#inUse.set);
  }

  /** Resolves when no look is under way. */
  settled(): Promise<void> {
    return this.#looking;
  }

  /** The looks alone find changes too, only later: a folder that cannot be watched is no more than a line in the log. */
  #watch(folder: string): void {
    const { logger, watchFolder = watchByOperatingSystem } = this.#options;
    const failed = (error: Error): void =>
      logger.warn({ error, folder }, 'a folder of certificates cannot be watched; it is looked at instead');
    try {
      this.#watches.push(watchFolder(folder, () => this.#lookIn(certificateSettleMs), failed));
    } catch (error) {
      failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Certificate and key are exchanged one after the other: the look waits until both are there. */
  #lookIn(ms: number): void {
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(ms, () => {
      this.#timer = undefined;
      void this.#lookNow();
    });
  }

  #lookNow(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look());
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { files, clock } = this.#options;
    try {
      const set = await readCertificateSet(files, clock.now());
      if (set.digest !== this.#inUse?.set.digest) await this.#take(set);
      this.#tell(undefined);
    } catch (error) {
      // Whatever is wrong with a new set, the one in use stays and the box goes on.
      const fault = error instanceof AppError ? error : this.#unforeseen(error);
      this.#tell(fault);
    }
    this.#warnOfEnds();
    // A change that came meanwhile is looked at soon.
    if (this.#timer === undefined) this.#lookIn(certificateLookMs);
  }

  #unforeseen(cause: unknown): AppError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new AppError('CERTIFICATE_INVALID', `The certificates cannot be used: ${why}.`, { cause });
  }

  async #take(set: CertificateSet): Promise<void> {
    const { clock, logger } = this.#options;
    await this.#use?.(set);
    for (const { file } of this.#inUse?.set.ends ?? []) this.#clearEnd(file);
    this.#inUse = { set, since: clock.now() };
    const { validUntil, ends } = set;
    logger.info({ validUntil, files: ends.length + 1 }, 'certificates of DICOM over TLS taken into use');
    for (const listener of this.#listeners) listener();
  }

  #tell(fault: AppError | undefined): void {
    const { health, logger } = this.#options;
    if (this.#fault !== undefined && this.#fault.code !== fault?.code)
      health.clear(this.#fault.code, subject);
    this.#fault = fault;
    if (fault === undefined) return;
    logger.warn({ error: fault }, 'the certificates of DICOM over TLS cannot be used');
    const effect = this.#inUse === undefined ? 'There is no TLS until they can.' : 'The last ones stay.';
    health.raise(fault.code, subject, `${fault.message.replace(/\.$/, '')}. ${effect}`);
  }

  #warnOfEnds(): void {
    const { clock, health } = this.#options;
    for (const { file, at } of this.#inUse?.set.ends ?? []) {
      const left = at - clock.now();
      if (left > certificateWarningMs) this.#clearEnd(file);
      else health.raise('CERTIFICATE_EXPIRES', subjectOf(file), endText(at, left));
    }
  }

  #clearEnd(file: string): void {
    this.#options.health.clear('CERTIFICATE_EXPIRES', subjectOf(file));
  }
}

const subjectOf = (file: string): string => `${subject}, ${basename(file)}`;

function endText(at: number, left: number): string {
  const day = new Date(at).toISOString().slice(0, 10);
  if (left <= 0) return `It expired on ${day}. Peers refuse it, or are refused.`;
  const days = Math.max(1, Math.floor(left / dayMs));
  const within = days === 1 ? 'within a day' : `in ${days} days`;
  const urgent = left <= certificateUrgentMs ? ' Renew it now: modalities will stop sending.' : '';
  return `It expires ${within}, on ${day}.${urgent}`;
}

function watchByOperatingSystem(
  folder: string,
  changed: () => void,
  failed: (error: Error) => void,
): Unsubscribe {
  const watcher = watch(folder, { persistent: false }, changed);
  watcher.on('error', failed);
  return () => watcher.close();
}
