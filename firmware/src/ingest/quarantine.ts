/**
 * Objects that were received and are not let into a study until a person decided: on disk like everything else, sealed,
 * each in a folder of its own so that it can be erased. Registered, forwarded, found and committed is none of them.
 */
import { createHash } from 'node:crypto';
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type {
  Clock,
  HealthBoard,
  Logger,
  ObjectStore,
  ObjectWriter,
  StudyFolder,
  Unsubscribe,
} from '../ports.ts';
import { quarantineBytesMax, quarantineObjectsMax } from './limits.ts';
import {
  fromQuarantineRecord,
  isReleasable,
  toQuarantineRecord,
  type Quarantined,
  type QuarantineRecord,
} from './quarantined.ts';

export interface QuarantineOptions {
  /** A store of its own, beside that of the studies. */
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
  readonly limits?: QuarantineLimits;
}

export interface QuarantineLimits {
  readonly quarantineObjectsMax: number;
  readonly quarantineBytesMax: number;
}

export interface QuarantineEntry extends QuarantineRecord {
  /** Random, in hexadecimal. */
  readonly id: string;
}

/** What an administrator asked for; a refusal changed nothing. */
export type QuarantineAct = { readonly kind: 'done' } | { readonly kind: 'refused'; readonly reason: string };

/** Keeps a released object in its study. @throws AppError if that fails: it then stays in quarantine. */
export type Readmit = (entry: QuarantineEntry, dataSet: AsyncIterable<Uint8Array>) => Promise<void>;

const defaultLimits: QuarantineLimits = { quarantineObjectsMax, quarantineBytesMax };
const subject = 'quarantine';

export class Quarantine {
  readonly #options: QuarantineOptions;
  readonly #limits: QuarantineLimits;
  readonly #entries = new Map<string, { readonly entry: QuarantineEntry; readonly folder: StudyFolder }>();
  readonly #byInstance = new Map<string, readonly QuarantineEntry[]>();
  readonly #acting = new Set<string>();
  readonly #listeners = new Set<() => void>();
  /** Of entries, and of objects that are being written. */
  #count = 0;
  #bytes = 0;

  constructor(options: QuarantineOptions) {
    this.#options = options;
    this.#limits = options.limits ?? defaultLimits;
  }

  /** What is damaged here keeps nobody from being cared for: it is set aside with an alarm. @throws AppError STORE_FAILED. */
  async load(): Promise<void> {
    const { store, logger, health } = this.#options;
    let damaged = 0;
    const setAside = (name: string): void => {
      damaged += 1;
      logger.error({ damaged: name }, 'a damaged object in quarantine is set aside');
      health.raise('QUARANTINE_DAMAGED', subject, `Folders in quarantine that end in .damaged: ${damaged}.`);
    };
    for await (const { folder, records } of store.open(setAside)) {
      const [record] = records;
      if (record === undefined) continue;
      const entry = { ...fromQuarantineRecord(record), id: folder.ref };
      this.#reserve(1, entry.stored.length);
      this.#list(entry, folder);
    }
    this.#tell();
  }

  /** Newest first. */
  list(): readonly QuarantineEntry[] {
    return [...this.#entries.values()].map(({ entry }) => entry).sort((a, b) => b.at - a.at);
  }

  get count(): number {
    return this.#entries.size;
  }

  /** Of what waits, and of what is being written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether an object of this UID waits here: then no promise is made about what is held under it. */
  holds(sopInstanceUid: string): boolean {
    return this.#byInstance.has(sopInstanceUid);
  }

  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws AppError QUARANTINE_FULL: the object is refused then, and stays with its sender. STORE_FAILED. */
  async begin(): Promise<QuarantineIntake> {
    this.#assertRoom(1, 0);
    this.#reserve(1, 0);
    let folder: StudyFolder;
    try {
      folder = await this.#options.store.createStudy();
    } catch (error) {
      this.#reserve(-1, 0);
      throw error;
    }
    return new QuarantineIntake({
      folder,
      take: (bytes) => {
        this.#assertRoom(0, bytes);
        this.#reserve(0, bytes);
      },
      giveBack: (bytes) => this.#reserve(-1, -bytes),
      isHeld: (sopInstanceUid, digest) =>
        this.#of(sopInstanceUid).some((entry) => equalBytes(entry.digest, digest)),
      kept: (record) => this.#kept(record, folder),
    });
  }

  /** An administrator lets it into its study, as if it had come then. `by` is the account. */
  async release(id: string, by: string, readmit: Readmit): Promise<QuarantineAct> {
    return this.#act(id, async ({ entry, folder }) => {
      if (!isReleasable(entry))
        return { kind: 'refused', reason: 'it has no place in any study; it can only be discarded' };
      await readmit(entry, dataSetOf(folder, entry));
      await this.#remove(entry, folder, by, 'released from quarantine');
      return { kind: 'done' };
    });
  }

  /** An administrator erases it. `by` is the account. */
  async discard(id: string, by: string): Promise<QuarantineAct> {
    return this.#act(id, async ({ entry, folder }) => {
      await this.#remove(entry, folder, by, 'discarded from quarantine');
      return { kind: 'done' };
    });
  }

  async #act(
    id: string,
    run: (held: { readonly entry: QuarantineEntry; readonly folder: StudyFolder }) => Promise<QuarantineAct>,
  ): Promise<QuarantineAct> {
    const held = this.#entries.get(id);
    if (held === undefined) return { kind: 'refused', reason: 'there is no such object in quarantine' };
    if (this.#acting.has(id))
      return { kind: 'refused', reason: 'somebody else is deciding about it just now' };
    this.#acting.add(id);
    try {
      return await run(held);
    } finally {
      this.#acting.delete(id);
    }
  }

  async #remove(entry: QuarantineEntry, folder: StudyFolder, by: string, act: string): Promise<void> {
    await folder.remove();
    this.#entries.delete(entry.id);
    const { sopInstanceUid } = entry.identity;
    const left = this.#of(sopInstanceUid).filter(({ id }) => id !== entry.id);
    if (left.length === 0) this.#byInstance.delete(sopInstanceUid);
    else this.#byInstance.set(sopInstanceUid, left);
    this.#reserve(-1, -entry.stored.length);
    this.#options.logger.info({ quarantined: entry.id, reason: entry.reason, account: by }, `object ${act}`);
    this.#tell();
  }

  #kept(record: QuarantineRecord, folder: StudyFolder): void {
    const { logger } = this.#options;
    const { reason, detail, callingAeTitle } = record;
    logger.warn({ quarantined: folder.ref, callingAeTitle, reason, detail }, 'object quarantined');
    this.#list({ ...record, id: folder.ref }, folder);
    this.#tell();
  }

  #list(entry: QuarantineEntry, folder: StudyFolder): void {
    const { sopInstanceUid } = entry.identity;
    this.#entries.set(entry.id, { entry, folder });
    this.#byInstance.set(sopInstanceUid, [...this.#of(sopInstanceUid), entry]);
  }

  #of(sopInstanceUid: string): readonly QuarantineEntry[] {
    return this.#byInstance.get(sopInstanceUid) ?? [];
  }

  #assertRoom(objects: number, bytes: number): void {
    const { quarantineObjectsMax: objectsMax, quarantineBytesMax: bytesMax } = this.#limits;
    if (this.#count + objects <= objectsMax && this.#bytes + bytes <= bytesMax) return;
    this.#options.health.raise('QUARANTINE_FULL', subject, 'Objects that belong there are refused.');
    throw new AppError('QUARANTINE_FULL', 'The quarantine is full.');
  }

  #reserve(objects: number, bytes: number): void {
    this.#count += objects;
    this.#bytes += bytes;
  }

  #tell(): void {
    const { health } = this.#options;
    const count = this.#entries.size;
    if (count === 0) health.clear('OBJECT_QUARANTINED', subject);
    else
      health.raise(
        'OBJECT_QUARANTINED',
        subject,
        count === 1 ? 'One object waits.' : `${count} objects wait.`,
      );
    if (count < this.#limits.quarantineObjectsMax) health.clear('QUARANTINE_FULL', subject);
    for (const listener of this.#listeners) listener();
  }
}

interface IntakeOptions {
  readonly folder: StudyFolder;
  /** @throws AppError QUARANTINE_FULL. */
  readonly take: (bytes: number) => void;
  readonly giveBack: (bytes: number) => void;
  readonly isHeld: (sopInstanceUid: string, digest: Uint8Array) => boolean;
  readonly kept: (record: QuarantineRecord) => void;
}

/** One object on its way into quarantine. */
export class QuarantineIntake {
  readonly #options: IntakeOptions;
  readonly #writer: ObjectWriter;
  readonly #hash = createHash('sha256');
  #bytes = 0;
  #ended = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#writer = options.folder.createObject([]);
  }

  /** Bytes of the data set, used before it returns. @throws AppError QUARANTINE_FULL, STORE_FAILED. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    this.#options.take(bytes.length);
    this.#bytes += bytes.length;
    this.#hash.update(bytes);
    return this.#writer.write(bytes);
  }

  /** On disk when it resolves, or there already. @throws AppError STORE_FAILED. */
  async finish(quarantined: Quarantined): Promise<void> {
    const digest = new Uint8Array(this.#hash.digest());
    if (this.#options.isHeld(quarantined.identity.sopInstanceUid, digest)) {
      await this.abort();
      return;
    }
    const sealed = await this.#writer.finish();
    let record: QuarantineRecord | undefined;
    await sealed.append((stored) => {
      record = { ...quarantined, stored, digest };
      return toQuarantineRecord(record);
    });
    if (record === undefined) throw new Error('a sealed object asks for its record');
    this.#ended = true;
    this.#options.kept(record);
  }

  /** Removes what was written, unless it was finished. */
  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.giveBack(this.#bytes);
    await this.#writer.abort();
    // If this fails, the next start removes it: no record stands in it.
    await Promise.allSettled([this.#options.folder.remove()]);
  }
}

async function* dataSetOf(folder: StudyFolder, { stored }: QuarantineRecord): AsyncIterable<Uint8Array> {
  const reader = await folder.openObject(stored);
  try {
    for (let index = 0; index < reader.segmentCount; index++) yield await reader.segment(index);
  } finally {
    await reader.close();
  }
}
