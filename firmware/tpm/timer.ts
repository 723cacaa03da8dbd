import type { Clock } from '../src/ports.ts';

/** The part of a clock that bounds how long a TPM may take. */
export type TimerSource = Pick<Clock, 'setTimer'>;

export const systemTimer: TimerSource = {
  setTimer: (ms, run) => {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};
