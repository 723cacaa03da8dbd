/** How much free room calls for what: the watermarks of the disk on which studies lie. */
import { diskAlarmFreeBytes, diskAlarmFreePercent, diskOwnPercentOfRefuse } from './limits.ts';
import { diskRefuseFreeBytes, diskRefuseFreePercent } from './limits.ts';

/** Bytes of the file system in which a folder lies. `free`: what the box may still take of `size`. */
export interface Space {
  readonly size: number;
  readonly free: number;
}

/** Bytes. What an administrator set; the box's own choice, by the size of the disk, where nothing is set. */
export interface ConfiguredMarks {
  readonly alarmFreeBytes?: number;
  readonly refuseFreeBytes?: number;
}

/** Bytes that are free when each begins; alarm ≥ refuse ≥ own. */
export interface DiskMarks {
  /** Below it the console raises DISK_LOW. */
  readonly alarmFreeBytes: number;
  /** Below it nothing new is begun: associations that would store are refused. What was begun may go on. */
  readonly refuseFreeBytes: number;
  /** Never given to objects: votes, blocks, the ledger's state and the index go on for weeks with it. */
  readonly ownFreeBytes: number;
}

export function marksOf(configured: ConfiguredMarks, diskBytes: number): DiskMarks {
  const byDefault = (bytes: number, percent: number): number => Math.min(bytes, (diskBytes * percent) / 100);
  const refuseFreeBytes = configured.refuseFreeBytes ?? byDefault(diskRefuseFreeBytes, diskRefuseFreePercent);
  const alarmFreeBytes = configured.alarmFreeBytes ?? byDefault(diskAlarmFreeBytes, diskAlarmFreePercent);
  return {
    // An administrator who sets one mark past the default of the other wants at least that much.
    alarmFreeBytes: Math.max(alarmFreeBytes, refuseFreeBytes),
    refuseFreeBytes,
    ownFreeBytes: (refuseFreeBytes * diskOwnPercentOfRefuse) / 100,
  };
}
