/** The threads in which both stores of a box, of studies and of what waits in quarantine, hash and seal objects. */
import type { Clock, Logger } from '../ports.ts';
import { SealThreads } from '../store/seal-threads.ts';
import { SegmentMemory } from '../store/segment-memory.ts';
import { sealOnThreads, type OpenSegmentOf } from '../store/segment-sealing.ts';
import type { Undo } from './undo.ts';

export function openSealing(clock: Clock, logger: Logger, undo: Undo): OpenSegmentOf {
  const memory = new SegmentMemory();
  const threads = new SealThreads({ memory, clock, logger });
  undo.later(() => threads.stop());
  return sealOnThreads({ memory, threads });
}
