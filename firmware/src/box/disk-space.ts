import { statfs } from 'node:fs/promises';
import type { Clock, HealthBoard, Logger, Service, Timer } from '../ports.ts';
import { diskFreeBytesMin, diskFreePercentMin } from './limits.ts';

const lookMs = 15_000;
const subject = 'disk';

/** Bytes of the file system in which a folder lies. `free`: what an ordinary user may still take of `size`. */
export interface Space {
  readonly size: number;
  readonly free: number;
}

export interface DiskSpaceOptions {
  readonly folder: string;
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
export class DiskSpace implements Service {
  readonly #options: DiskSpaceOptions;
  #freeBytes = 0;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: DiskSpaceOptions) {
    this.#options = options;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  async start(): Promise<void> {
    await this.#look();
  }

  stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    return Promise.resolve();
  }

  async #look(): Promise<void> {
    const { folder, clock, logger, health, readSpace = spaceOf } = this.#options;
    try {
      const space = await readSpace(folder);
      health.clear('STORE_FAILED', subject);
      this.#judge(space);
    } catch (error) {
      logger.error({ error }, 'the free space of the data folder cannot be read');
      health.raise('STORE_FAILED', subject, 'The free space of the data folder cannot be read.');
    }
    if (this.#stopped) return;
    this.#timer = clock.setTimer(lookMs, () => void this.#look());
  }

  #judge({ size, free }: Space): void {
    const { health } = this.#options;
    this.#freeBytes = free;
    if (free >= Math.min(diskFreeBytesMin, (size * diskFreePercentMin) / 100)) {
      health.clear('DISK_LOW', subject);
      return;
    }
    const gigabytes = Math.ceil(free / 1e9);
    const detail = gigabytes === 0 ? 'No space is left' : `Less than ${gigabytes} GB are free`;
    health.raise('DISK_LOW', subject, `${detail} for studies.`);
  }
}

async function spaceOf(folder: string): Promise<Space> {
  const { blocks, bavail, bsize } = await statfs(folder);
  return { size: blocks * bsize, free: bavail * bsize };
}
