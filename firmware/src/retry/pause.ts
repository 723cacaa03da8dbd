/** How long to wait before something that failed is tried again: one rule for peers, PACS and commitments. */
import { retryFirstMs, retryLongestMs } from './limits.ts';

/** Pause before the next try after this many failures: doubled each time, up to the longest. Milliseconds. */
export function retryPauseMs(failures: number): number {
  return Math.min(retryLongestMs, retryFirstMs * 2 ** Math.min(failures, 20));
}
