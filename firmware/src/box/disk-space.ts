import { statfs } from 'node:fs/promises';
import { marksOf, type ConfiguredMarks, type DiskMarks, type Space } from '../ingest/disk-marks.ts';
import type { LookedAt } from '../ingest/disk-room.ts';
import { diskLookMs, diskLowLookMs } from '../ingest/limits.ts';
import type { Clock, HealthBoard, Logger, Service, Timer, Unsubscribe } from '../ports.ts';

const subject = 'disk';

export interface DiskSpaceOptions {
  readonly folder: string;
  readonly marks: ConfiguredMarks;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
  /** Asks the operating system by default. */
  readonly readSpace?: (folder: string) => Promise<Space>;
}

/**
 * Free space where the studies lie, looked at now and then so that showing it never waits for the disk. Raises DISK_LOW
 * before reception fails, and STORE_FAILED if the disk does not even tell.
 */
export class DiskSpace implements Service, LookedAt {
  readonly #options: DiskSpaceOptions;
  readonly #observers = new Set<() => (space: Space) => void>();
  #space: Space = { size: 0, free: 0 };
  #isLow = false;
  #looking: Promise<void> | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: DiskSpaceOptions) {
    this.#options = options;
  }

  get freeBytes(): number {
    return this.#space.free;
  }

  get marks(): DiskMarks {
    return marksOf(this.#options.marks, this.#space.size);
  }

  async start(): Promise<void> {
    await this.look();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
  }

  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  onLook(begin: () => (space: Space) => void): Unsubscribe {
    this.#observers.add(begin);
    return () => this.#observers.delete(begin);
  }

  async #look(): Promise<void> {
    const { folder, clock, logger, health, readSpace = spaceOf } = this.#options;
    this.#timer?.cancel();
    const tell = [...this.#observers].map((begin) => begin());
    try {
      const space = await readSpace(folder);
      health.clear('STORE_FAILED', subject);
      this.#judge(space);
      for (const seen of tell) seen(space);
    } catch (error) {
      logger.error({ error }, 'the free space of the data folder cannot be read');
      health.raise('STORE_FAILED', subject, 'The free space of the data folder cannot be read.');
    }
    if (this.#stopped) return;
    this.#timer = clock.setTimer(this.#isLow ? diskLowLookMs : diskLookMs, () => void this.look());
  }

  #judge(space: Space): void {
    const { health } = this.#options;
    this.#space = space;
    const { alarmFreeBytes, refuseFreeBytes } = this.marks;
    this.#isLow = space.free < alarmFreeBytes;
    if (!this.#isLow) {
      health.clear('DISK_LOW', subject);
      return;
    }
    const gigabytes = Math.ceil(space.free / 1e9);
    const left = gigabytes === 0 ? 'No space is left' : `Less than ${gigabytes} GB are free`;
    const effect = space.free < refuseFreeBytes ? ' Modalities are refused until there is room.' : '';
    health.raise('DISK_LOW', subject, `${left} for studies.${effect}`);
  }
}

async function spaceOf(folder: string): Promise<Space> {
  const { blocks, bavail, bsize } = await statfs(folder);
  return { size: blocks * bsize, free: bavail * bsize };
}
