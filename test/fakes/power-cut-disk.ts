/**
 * A disk in memory that remembers everything it was asked, so that a test can look at what each power cut would leave.
 *
 * What a cut leaves is what POSIX promises and no more. Bytes of a file are safe once a flush of that file, begun after
 * they were written, has ended; names of a folder likewise, by a flush of the folder. Of everything else each write may
 * be there, be missing or be torn into sectors, and each change of names may have happened or not, in any combination:
 * a later one may be there without an earlier one.
 */
import { basename, dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { FileSystem, OpenFlags, StoredFile } from '../../firmware/src/store/file-system.ts';
import type { Random } from '../sim/random.ts';
import { GrowingBytes } from './growing-bytes.ts';

/** The unit that a disk writes whole or not at all. */
const sectorBytes = 512;

type Inode = number;
const root: Inode = 0;

/** What lies on a disk: bytes of files, names in folders. */
export interface DiskImage {
  readonly files: ReadonlyMap<Inode, Uint8Array>;
  readonly folders: ReadonlyMap<Inode, ReadonlyMap<string, Inode>>;
}

/** Names that change together: a rename takes one away and sets another. */
interface NameChange {
  readonly folder: Inode;
  readonly name: string;
  readonly to: Inode | undefined;
}

/** One event. What was begun may be on the disk; what a flush covers that has ended is. */
export type DiskEvent =
  | { readonly is: 'write'; readonly file: Inode; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly is: 'truncate'; readonly file: Inode; readonly length: number }
  | { readonly is: 'names'; readonly changes: readonly NameChange[] }
  | { readonly is: 'done'; readonly of: number }
  /** Of all that was written there before, or of one write alone. */
  | { readonly is: 'flush'; readonly target: Inode; readonly only?: number }
  | { readonly is: 'flushed'; readonly of: number }
  /** The flush failed. */
  | { readonly is: 'lost'; readonly of: number };

/** What becomes of something that was not flushed. Torn: each sector for itself, and the file's length too. */
export type Fate = 'kept' | 'dropped' | 'torn';

/** Decides about each change that was not safe; `event` is its place in the journal. */
export type Fates = (event: number, change: DiskEvent) => Fate;

export const allDropped: Fates = () => 'dropped';
export const allKept: Fates = () => 'kept';
export const bytesKeptNamesDropped: Fates = (_, change) => (change.is === 'names' ? 'dropped' : 'kept');
export const namesKeptBytesDropped: Fates = (_, change) => (change.is === 'names' ? 'kept' : 'dropped');
export const anyOf =
  (random: Random): Fates =>
  () =>
    (['kept', 'dropped', 'torn'] as const)[random.below(3)] ?? 'kept';

/** Resolves when a request of this kind is done. */
export type Pause = (request: 'flush' | 'other') => Promise<void>;

const turnsOf =
  (random: Random): Pause =>
  async (request) => {
    for (let waits = request === 'flush' ? 2 : 1; waits > 0; waits--)
      for (let turns = random.below(3); turns >= 0; turns--) await setImmediate();
  };

export const emptyDisk: DiskImage = { files: new Map(), folders: new Map([[root, new Map()]]) };

interface MutableImage {
  readonly files: Map<Inode, GrowingBytes>;
  readonly folders: Map<Inode, Map<string, Inode>>;
}

export class PowerCutDisk implements FileSystem {
  readonly #start: DiskImage;
  readonly #pause: Pause;
  /** What is read: all that was asked for, safe or not. */
  readonly #now: MutableImage;
  readonly #journal: DiskEvent[] = [];
  #nextInode: Inode;
  /**
   * So many of the next flushes fail. Bytes that they were to make safe no later flush does: the system takes them for
   * written, and readers see them, but only what is written again comes to the disk (as on Linux).
   */
  failingFlushes = 0;
  #safe: { readonly events: number; readonly from: ReadonlyMap<number, number> } | undefined;

  /**
   * How long requests take decides how those of several senders meet: by default some turns of the event loop, as
   * `random` says; `pause` puts another time in its place.
   */
  constructor(start: DiskImage, random: Random, pause: Pause = turnsOf(random)) {
    this.#start = start;
    this.#pause = pause;
    this.#now = copyOf(start);
    this.#nextInode = Math.max(...start.files.keys(), ...start.folders.keys()) + 1;
  }

  /** Events so far: a cut can come after any number of them. */
  get events(): number {
    return this.#journal.length;
  }

  /** Paths of all files, for whoever looks for leftovers. */
  paths(folder: Inode = root, prefix = ''): string[] {
    return [...this.#folder(folder, prefix)].flatMap(([name, inode]) =>
      this.#now.folders.has(inode)
        ? [`${prefix}/${name}/`, ...this.paths(inode, `${prefix}/${name}`)]
        : [`${prefix}/${name}`],
    );
  }

  /** The disk as a power cut after so many events leaves it. */
  cutAfter(events: number, fates: Fates, random: Random): DiskImage {
    const safeFrom = this.#safeFrom();
    const image = copyOf(this.#start);
    for (const inode of this.#now.files.keys()) contentOf(image, inode);
    for (const inode of this.#now.folders.keys())
      if (!image.folders.has(inode)) image.folders.set(inode, new Map());
    for (const [event, change] of this.#journal.slice(0, events).entries()) {
      const isSafe = (safeFrom.get(event) ?? Infinity) < events;
      const fate = isSafe ? 'kept' : fates(event, change);
      if (change.is === 'names') {
        // A folder's change of names happens whole or not at all.
        if (fate === 'kept' || (fate === 'torn' && random.chance(0.5))) apply(image, change);
      } else if (fate === 'kept') {
        apply(image, change);
      } else if (fate === 'torn') {
        applyTorn(image, change, random);
      }
    }
    return {
      files: new Map([...image.files].map(([inode, { bytes }]) => [inode, bytes])),
      folders: image.folders,
    };
  }

  async open(path: string, flags: OpenFlags): Promise<StoredFile> {
    await this.#pause('other');
    const found = this.#find(path);
    if (found === undefined && (flags === 'r' || flags === 'r+')) throw failure('ENOENT', path);
    if (found !== undefined && flags === 'wx+') throw failure('EEXIST', path);
    const inode = found ?? this.#nextInode++;
    if (found === undefined) {
      const made = this.#change(this.#nameOf(path, inode));
      contentOf(this.#now, inode);
      this.#done(made);
    } else if (flags === 'w+') {
      this.#done(this.#change({ is: 'truncate', file: inode, length: 0 }));
    }
    return this.#handle(inode, path);
  }

  async rename(from: string, to: string): Promise<void> {
    const inode = this.#existing(from);
    const [{ changes: away }, { changes: set }] = [this.#nameOf(from, undefined), this.#nameOf(to, inode)];
    await this.#perform({ is: 'names', changes: [...away, ...set] });
  }

  async link(path: string, second: string): Promise<void> {
    if (this.#find(second) !== undefined) throw failure('EEXIST', second);
    await this.#perform(this.#nameOf(second, this.#existing(path)));
  }

  async remove(path: string): Promise<void> {
    const inode = this.#find(path);
    if (inode === undefined) return;
    const folder = this.#now.folders.get(inode);
    for (const name of [...(folder?.keys() ?? [])]) await this.remove(`${path}/${name}`);
    await this.#perform(this.#nameOf(path, undefined));
  }

  async makeFolder(path: string): Promise<void> {
    if (this.#find(path) !== undefined) return;
    if (dirname(path) !== path) await this.makeFolder(dirname(path));
    const inode = this.#nextInode++;
    this.#now.folders.set(inode, new Map());
    await this.#perform(this.#nameOf(path, inode));
  }

  async list(path: string): Promise<string[]> {
    await this.#pause('other');
    return [...this.#folder(this.#existing(path), path).keys()];
  }

  async exists(path: string): Promise<boolean> {
    await this.#pause('other');
    return this.#find(path) !== undefined;
  }

  async isSameFile(one: string, other: string): Promise<boolean> {
    await this.#pause('other');
    return this.#existing(one) === this.#existing(other);
  }

  syncFolder(path: string): Promise<void> {
    return this.#flush(this.#existing(path));
  }

  #handle(inode: Inode, path: string): StoredFile {
    const content = contentOf(this.#now, inode);
    let isOpen = true;
    const whileOpen = (): void => {
      if (!isOpen) throw failure('EBADF', path);
    };
    return {
      read: async (bytes, offset) => {
        whileOpen();
        await this.#pause('other');
        const found = content.bytes.subarray(offset, offset + bytes.length);
        bytes.set(found);
        return found.length;
      },
      write: async (pieces, offset) => {
        whileOpen();
        const bytes = Uint8Array.from(Buffer.concat(pieces));
        if (bytes.length > 0) await this.#perform({ is: 'write', file: inode, offset, bytes });
      },
      writeThrough: async (pieces, offset) => {
        whileOpen();
        const bytes = Uint8Array.from(Buffer.concat(pieces));
        if (bytes.length === 0) return;
        await this.#flush(inode, await this.#perform({ is: 'write', file: inode, offset, bytes }));
      },
      datasync: async () => {
        whileOpen();
        await this.#flush(inode);
      },
      sync: async () => {
        whileOpen();
        await this.#flush(inode);
      },
      truncate: async (length) => {
        whileOpen();
        await this.#perform({ is: 'truncate', file: inode, length });
      },
      size: async () => {
        whileOpen();
        await this.#pause('other');
        return content.length;
      },
      close: async () => {
        isOpen = false;
        await this.#pause('other');
      },
    };
  }

  /** The number of its event. */
  async #perform(change: DiskEvent): Promise<number> {
    const event = this.#change(change);
    await this.#pause('other');
    this.#done(event);
    return event;
  }

  /** Written down and seen by readers at once; the number of the event. */
  #change(change: DiskEvent): number {
    apply(this.#now, change);
    return this.#journal.push(change) - 1;
  }

  #done(event: number): void {
    this.#journal.push({ is: 'done', of: event });
  }

  async #flush(target: Inode, only?: number): Promise<void> {
    const begun = this.#journal.push({ is: 'flush', target, ...(only !== undefined && { only }) }) - 1;
    await this.#pause('flush');
    if (this.failingFlushes > 0) {
      this.failingFlushes -= 1;
      this.#journal.push({ is: 'lost', of: begun });
      throw failure('EIO', 'flush');
    }
    this.#journal.push({ is: 'flushed', of: begun });
  }

  /** For each change the end of the first flush that made it safe, as far as there is one. */
  #safeFrom(): ReadonlyMap<number, number> {
    if (this.#safe?.events === this.#journal.length) return this.#safe.from;
    const from = new Map<number, number>();
    /** What a flush makes safe when it ends: what was done when it began. */
    const covered = new Map<number, readonly number[]>();
    const unsafe = new Set<number>();
    for (const [event, change] of this.#journal.entries()) {
      if (change.is === 'done') unsafe.add(change.of);
      if (change.is === 'flush') {
        const concerned = [...unsafe].filter(
          (each) => this.#concerns(each, change.target) && each === (change.only ?? each),
        );
        covered.set(event, concerned);
      }
      if (change.is === 'lost')
        for (const each of covered.get(change.of) ?? [])
          if (this.#journal[each]?.is === 'write') unsafe.delete(each);
      if (change.is !== 'flushed') continue;
      for (const each of covered.get(change.of) ?? []) if (unsafe.delete(each)) from.set(each, event);
    }
    this.#safe = { events: this.#journal.length, from };
    return from;
  }

  /** A change of names in two folders is safe when either is flushed: file systems keep renames whole. */
  #concerns(event: number, target: Inode): boolean {
    const change = this.#journal[event];
    if (change?.is === 'names') return change.changes.some(({ folder }) => folder === target);
    return (change?.is === 'write' || change?.is === 'truncate') && change.file === target;
  }

  #nameOf(path: string, to: Inode | undefined): { readonly is: 'names'; readonly changes: NameChange[] } {
    return { is: 'names', changes: [{ folder: this.#existing(dirname(path)), name: basename(path), to }] };
  }

  #existing(path: string): Inode {
    const inode = this.#find(path);
    if (inode === undefined) throw failure('ENOENT', path);
    return inode;
  }

  #find(path: string): Inode | undefined {
    let inode: Inode | undefined = root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (inode === undefined) return undefined;
      inode = this.#now.folders.get(inode)?.get(name);
    }
    return inode;
  }

  #folder(inode: Inode, path: string): ReadonlyMap<string, Inode> {
    const folder = this.#now.folders.get(inode);
    if (folder === undefined) throw failure('ENOTDIR', path);
    return folder;
  }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

function copyOf({ files, folders }: DiskImage): MutableImage {
  return {
    files: new Map([...files].map(([inode, bytes]) => [inode, new GrowingBytes(bytes)])),
    folders: new Map([...folders].map(([inode, names]) => [inode, new Map(names)])),
  };
}

function contentOf(image: MutableImage, file: Inode): GrowingBytes {
  const found = image.files.get(file);
  if (found !== undefined) return found;
  const content = new GrowingBytes();
  image.files.set(file, content);
  return content;
}

function apply(image: MutableImage, change: DiskEvent): void {
  if (change.is === 'write') contentOf(image, change.file).put(change.offset, change.bytes);
  if (change.is === 'truncate') contentOf(image, change.file).setLength(change.length);
  if (change.is !== 'names') return;
  for (const { folder, name, to } of change.changes) {
    const names = image.folders.get(folder) ?? new Map<string, Inode>();
    image.folders.set(folder, names);
    if (to === undefined) names.delete(name);
    else names.set(name, to);
  }
}

/** Each sector of a write for itself; what is missing reads as what was there before, or as zeros. */
function applyTorn(image: MutableImage, change: DiskEvent, random: Random): void {
  if (change.is === 'truncate' && random.chance(0.5)) apply(image, change);
  if (change.is !== 'write') return;
  const { offset, bytes } = change;
  const content = contentOf(image, change.file);
  for (let from = 0; from < bytes.length;) {
    const to = Math.min(bytes.length, from + sectorBytes - ((offset + from) % sectorBytes));
    if (random.chance(0.5)) content.put(offset + from, bytes.subarray(from, to));
    from = to;
  }
  if (random.chance(0.5)) content.setLength(Math.max(offset + bytes.length, content.length));
}
