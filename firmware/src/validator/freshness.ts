/** The alarms of a ledger that stands still (PROTOCOL.md, "Freshness"), and of a box that is left behind. */
import type { HealthBoard } from '../ports.ts';
import { blockTimeSkewMsMax, headAgeMsMax } from './limits.ts';

/** `ageMs`: of a block that has just become final, by the own clock; less than nothing if that is behind. */
export function reportClock(health: HealthBoard, ageMs: number): void {
  if (ageMs >= -blockTimeSkewMsMax) health.clear('CLOCK_BEHIND', 'ledger');
  else {
    const seconds = Math.round(-ageMs / 1000);
    health.raise('CLOCK_BEHIND', 'ledger', `The last final block is ${seconds} s ahead of this box's clock.`);
  }
}

/** `ageMs`: of the last final block, by the own clock. */
export function reportAge(health: HealthBoard, ageMs: number): void {
  if (ageMs <= headAgeMsMax) health.clear('LEDGER_STALE', 'ledger');
  else health.raise('LEDGER_STALE', 'ledger', `The last final block is older than ${headAgeMsMax / 1000} s.`);
}

/** True: no box that answers has what this one lacks. */
export function reportStranded(health: HealthBoard, isStranded: boolean): void {
  if (!isStranded) health.clear('CATCH_UP_STUCK', 'ledger');
  else
    health.raise('CATCH_UP_STUCK', 'ledger', 'Nobody who answers has the next blocks, or a way past them.');
}
