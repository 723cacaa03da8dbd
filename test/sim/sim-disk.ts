/**
 * A node's disk in virtual time: flushes take a while, a process that was killed gets no answer, and what a power cut
 * leaves is up to the seed. Some disks do worse than POSIX allows: they lose what they acknowledged, or change it.
 */
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';
import { parseFrame, headerBytes } from '../../firmware/src/store/append-log-format.ts';
import type { FileSystem, StoredFile } from '../../firmware/src/store/file-system.ts';
import { anyOf, emptyDisk, PowerCutDisk, type DiskImage } from '../fakes/power-cut-disk.ts';
import type { EventQueue } from './event-queue.ts';
import { lifeline } from './lifeline.ts';
import type { Random } from './random.ts';

/** What becomes of a log beyond what a power cut may do. */
export interface DiskFault {
  readonly kind:
    /** The last frames are gone although they had been flushed. */
    | 'lost-tail'
    /** One bit of what was written is another. */
    | 'flipped-bit';
  readonly path: string;
}

export interface SimDiskOptions {
  readonly random: Random;
  readonly events: EventQueue;
}

export class SimDisk {
  readonly #options: SimDiskOptions;
  #disk: PowerCutDisk;
  /** Writes fail from now on, until the power comes back: full or broken. */
  isFailing = false;

  constructor(options: SimDiskOptions) {
    this.#options = options;
    this.#disk = this.#begin(emptyDisk);
  }

  /**
   * The disk for one life of a process. `aboutTo` hears of each request before and after it, and may end that life.
   */
  filesFor(life: AbortSignal, aboutTo: () => void): FileSystem {
    const disk = this.#disk;
    const guarded = lifeline(life, aboutTo);
    const change = <Result>(request: () => Promise<Result>): Promise<Result> =>
      guarded(() => (this.isFailing ? Promise.reject(noSpace()) : request()));
    /** A full disk takes a part of what is written. */
    const write = async (file: StoredFile, pieces: readonly Uint8Array[], offset: number): Promise<void> => {
      const whole = concatBytes(...pieces);
      await file.write([this.isFailing ? whole.subarray(0, whole.length >> 1) : whole], offset);
      if (this.isFailing) throw noSpace();
    };
    const guardedFile = (file: StoredFile): StoredFile => ({
      read: (bytes, offset) => guarded(() => file.read(bytes, offset)),
      write: (pieces, offset) => guarded(() => write(file, pieces, offset)),
      writeThrough: (pieces, offset) =>
        guarded(() => (this.isFailing ? write(file, pieces, offset) : file.writeThrough(pieces, offset))),
      datasync: () => change(() => file.datasync()),
      sync: () => change(() => file.sync()),
      truncate: (length) => change(() => file.truncate(length)),
      size: () => guarded(() => file.size()),
      close: () => guarded(() => file.close()),
    });
    return {
      open: (path, flags) => guarded(async () => guardedFile(await disk.open(path, flags))),
      rename: (from, to) => change(() => disk.rename(from, to)),
      link: (path, second) => change(() => disk.link(path, second)),
      remove: (path) => change(() => disk.remove(path)),
      makeFolder: (path) => change(() => disk.makeFolder(path)),
      list: (folder) => guarded(() => disk.list(folder)),
      exists: (path) => guarded(() => disk.exists(path)),
      isSameFile: (one, other) => guarded(() => disk.isSameFile(one, other)),
      syncFolder: (folder) => change(() => disk.syncFolder(folder)),
    };
  }

  /**
   * What was not flushed may be there, be missing or be torn. True if the fault, where one was asked for, found its
   * place.
   */
  cutPower(fault?: DiskFault): boolean {
    const { random } = this.#options;
    const image = this.#disk.cutAfter(this.#disk.events, anyOf(random), random);
    const changed = fault === undefined ? undefined : damaged(image, fault, random);
    this.#disk = this.#begin(changed ?? image);
    this.isFailing = false;
    return changed !== undefined;
  }

  #begin(image: DiskImage): PowerCutDisk {
    const { random, events } = this.#options;
    const pause = (request: 'flush' | 'other'): Promise<void> => {
      if (request === 'other') return Promise.resolve();
      const ms = random.chance(0.02) ? random.between(50, 400) : random.between(0, 5);
      return new Promise((resolve) => events.after(ms, resolve));
    };
    return new PowerCutDisk(image, random, pause);
  }
}

function noSpace(): Error {
  return Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
}

/** Undefined if there is nothing there that the fault could strike. */
function damaged(image: DiskImage, { path, kind }: DiskFault, random: Random): DiskImage | undefined {
  const [folder] = [...image.folders.values()];
  const inode = folder?.get(path.slice(1));
  const bytes = inode === undefined ? undefined : image.files.get(inode)?.slice();
  if (inode === undefined || bytes === undefined) return undefined;
  const frames = frameOffsets(bytes);
  if (kind === 'lost-tail') {
    const kept = frames.at(-1 - random.between(1, 3));
    if (kept === undefined) return undefined;
    bytes.fill(0, kept);
  } else {
    const end = frames.at(-1) ?? 0;
    if (end <= headerBytes) return undefined;
    const at = random.below(end);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  }
  return { files: new Map(image.files).set(inode, bytes), folders: image.folders };
}

/** Where each frame of a log begins, and where the last one ends. */
function frameOffsets(bytes: Uint8Array): number[] {
  const offsets = [headerBytes];
  for (let at = headerBytes; ;) {
    const frame = parseFrame(bytes.subarray(at));
    if (frame === undefined) return offsets;
    at += frame.length;
    offsets.push(at);
  }
}
