/** The alarm of a ledger that stands still (PROTOCOL.md, "Freshness"). */
import type { HealthBoard } from '../ports.ts';
import { headAgeMsMax } from './limits.ts';

/** `ageMs`: of the last final block, by the own clock. */
export function reportAge(health: HealthBoard, ageMs: number): void {
  if (ageMs <= headAgeMsMax) health.clear('LEDGER_STALE', 'ledger');
  else health.raise('LEDGER_STALE', 'ledger', `The last final block is older than ${headAgeMsMax / 1000} s.`);
}
