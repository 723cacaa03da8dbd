/**
 * Room on the disk for objects in flight. A C-STORE does not say how large its object is: room for one of usual size is
 * kept when it begins, more as its bytes arrive. New objects are begun above the refusing mark only; what lies between
 * that mark and the box's own room is for objects that were begun before, so that they can be ended.
 *
 * The operating system is asked now and then; between two looks, what has arrived since counts as written. So the
 * figure errs towards too little room, and nobody is refused on it before the disk was looked at.
 */
import assert from 'node:assert/strict';
import { AppError } from '../errors.ts';
import type { Unsubscribe } from '../ports.ts';
import { marksOf, type ConfiguredMarks, type Space } from './disk-marks.ts';
import { objectRoomBytes, objectRoomStepBytes } from './limits.ts';

/** The disk as it is looked at. */
export interface LookedAt {
  /**
   * Looks at once, or waits for the look that is under way. Never rejects: a disk that does not tell is its alarm.
   */
  look(): Promise<void>;
  /** `begin` runs before each look; what it gives back is told what was seen, if the disk told. */
  onLook(begin: () => (space: Space) => void): Unsubscribe;
}

type Mark = 'refuseFreeBytes' | 'ownFreeBytes';

export class DiskRoom {
  readonly #disk: LookedAt;
  readonly #configured: ConfiguredMarks;
  /** What was seen last, and how much had arrived when that look began. */
  #seen: { readonly space: Space; readonly arrived: number } | undefined;
  /** Bytes of all objects since the start. */
  #arrived = 0;
  /** Bytes that are kept for objects in flight and have not arrived. */
  #kept = 0;

  constructor(disk: LookedAt, configured: ConfiguredMarks) {
    this.#disk = disk;
    this.#configured = configured;
    disk.onLook(() => {
      const arrived = this.#arrived;
      return (space) => (this.#seen = { space, arrived });
    });
  }

  /** Whether an association that would store is welcome. */
  async admits(): Promise<boolean> {
    return this.#has(0, 'refuseFreeBytes') || this.#hasAfterLook(0, 'refuseFreeBytes');
  }

  /** Keeps room for a new object of unknown size, or for so many bytes. @throws AppError DISK_LOW. */
  async begin(bytes: number = objectRoomBytes): Promise<ObjectRoom> {
    await this.#keep(bytes, 'refuseFreeBytes');
    return new ObjectRoom(this, bytes);
  }

  /** Keeps `objectRoomStepBytes` more for an object that was begun. @throws AppError DISK_LOW. */
  extend(): Promise<void> | undefined {
    return this.#keep(objectRoomStepBytes, 'ownFreeBytes');
  }

  /** Bytes arrived for which room was kept. */
  arrive(bytes: number): void {
    this.#arrived += bytes;
    this.#kept -= bytes;
    assert(this.#kept >= 0, 'more arrived than room was kept for');
  }

  giveBack(bytes: number): void {
    this.#kept -= bytes;
    assert(this.#kept >= 0, 'more room given back than was kept');
  }

  /** A write failed: the disk may be fuller than it was thought to be. */
  failed(): void {
    void this.#disk.look();
  }

  /** At once if there is plainly room; what seems too little is looked at before anybody is refused for it. */
  #keep(bytes: number, mark: Mark): Promise<void> | undefined {
    if (!this.#has(bytes, mark)) return this.#keepAfterLook(bytes, mark);
    this.#kept += bytes;
    return undefined;
  }

  async #keepAfterLook(bytes: number, mark: Mark): Promise<void> {
    if (!(await this.#hasAfterLook(bytes, mark)))
      throw new AppError('DISK_LOW', 'The disk has no room for what is sent.');
    this.#kept += bytes;
  }

  async #hasAfterLook(bytes: number, mark: Mark): Promise<boolean> {
    await this.#disk.look();
    return this.#has(bytes, mark);
  }

  /** A disk that never told is judged by its writes alone. */
  #has(bytes: number, mark: Mark): boolean {
    if (this.#seen === undefined) return true;
    const { space, arrived } = this.#seen;
    const free = space.free - (this.#arrived - arrived) - this.#kept;
    return free - bytes >= marksOf(this.#configured, space.size)[mark];
  }
}

/** Room of one object in flight, or of a study that is fetched. */
export class ObjectRoom {
  readonly #room: DiskRoom;
  #left: number;
  #ended = false;

  constructor(room: DiskRoom, bytes: number) {
    this.#room = room;
    this.#left = bytes;
  }

  /** Before so many more bytes are written: they may be when this resolves. @throws AppError DISK_LOW. */
  take(bytes: number): Promise<void> | undefined {
    assert(!this.#ended, 'an object that has ended takes no more room');
    if (bytes > this.#left) return this.#takeMore(bytes);
    this.#room.arrive(bytes);
    this.#left -= bytes;
    return undefined;
  }

  /** The object is on disk, or given up. Once. */
  end(): void {
    assert(!this.#ended, 'the room of an object is given back once');
    this.#ended = true;
    this.#room.giveBack(this.#left);
  }

  async #takeMore(bytes: number): Promise<void> {
    while (bytes > this.#left) {
      await this.#room.extend();
      this.#left += objectRoomStepBytes;
    }
    await this.take(bytes);
  }
}
