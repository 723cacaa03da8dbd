import { setTimeout as delay } from 'node:timers/promises';
import type { Clock, Timer } from '../ports.ts';

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
  setTimer(ms, run): Timer {
    const timer = setTimeout(run, ms);
    return {
      cancel() {
        clearTimeout(timer);
      },
    };
  },
};
