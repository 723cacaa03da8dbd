/** Space that is prepared for studies while the box rests, and given back when the disk gets full. */
import type { Config } from '../config.ts';
import type { Clock, Logger, Service } from '../ports.ts';
import { spareLogBytes } from '../store/limits.ts';
import { SpareLogMaker } from '../store/spare-log-maker.ts';
import type { StudyStore } from '../store/study-store.ts';
import type { DiskSpace } from './disk-space.ts';

export interface SpareSpaceModules {
  readonly config: Pick<Config, 'storage'>;
  /** Opened: what is in its folder then is not touched any more. */
  readonly studies: StudyStore;
  readonly disk: Pick<DiskSpace, 'look' | 'onLook' | 'freeBytes' | 'marks'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of each spare; tests make smaller ones. */
  readonly spareBytes?: number;
}

/** Spares are made above the mark of the alarm alone, so that none is ever the reason for it. */
export function spareSpace(modules: SpareSpaceModules): Service {
  const { config, studies, disk, clock, logger, spareBytes: bytes = spareLogBytes } = modules;
  const count = config.storage.spareLogs;
  const { spares } = studies;
  const hasRoom = async (bytes: number): Promise<boolean> => {
    await disk.look();
    return disk.freeBytes - bytes >= disk.marks.alarmFreeBytes;
  };
  const maker = new SpareLogMaker({ spares, count, bytes, hasRoom, clock, logger });
  let unsubscribe = (): void => undefined;
  return {
    start: async () => {
      unsubscribe = disk.onLook(() => ({ free }) => {
        if (free < disk.marks.alarmFreeBytes) void Promise.all([maker.giveBack(), studies.giveBackSpace()]);
      });
      if (count > 0) await maker.start();
    },
    stop: async () => {
      unsubscribe();
      await maker.stop();
    },
  };
}
