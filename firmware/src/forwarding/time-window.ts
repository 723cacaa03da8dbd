/** Hours in which a destination may be sent to, in the hospital's time zone, summer time included. */
export interface TimeWindow {
  /** HH:MM, inclusive. */
  readonly from: string;
  /** HH:MM, exclusive; not later than `from` means: on the following day. */
  readonly to: string;
}

/** Whether sending is allowed now. Without windows it always is. @throws RangeError for an unknown time zone. */
export function isOpen(windows: readonly TimeWindow[], timeZone: string, now: number): boolean {
  if (windows.length === 0) return true;
  // h23 writes midnight as 00:00; such times compare as text.
  const time = new Intl.DateTimeFormat('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZone,
  }).format(now);
  return windows.some(({ from, to }) => (from < to ? from <= time && time < to : from <= time || time < to));
}

/** Whether this machine knows the time zone (a name of the IANA data base). */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: name });
    return true;
  } catch (cause) {
    if (cause instanceof RangeError) return false;
    throw cause;
  }
}
