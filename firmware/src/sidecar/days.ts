/** Days as DICOM writes them (DA, PS3.5 6.2): YYYYMMDD, in the order of their text. */

const dayMs = 86_400_000;

/** The day before. @throws RangeError for what is no day. */
export function dayBefore(day: string): string {
  return dayOf(millisecondsOf(day) - dayMs);
}

/** The day (UTC) of a time. */
export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10).replaceAll('-', '');
}

/** Days from the first to the last, both included; 0 if the last is before the first. */
export function daysFrom(first: string, last: string): number {
  return Math.max(0, Math.round((millisecondsOf(last) - millisecondsOf(first)) / dayMs) + 1);
}

function millisecondsOf(day: string): number {
  const at = Date.parse(`${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6, 8)}T00:00:00Z`);
  if (!/^[0-9]{8}$/.test(day) || Number.isNaN(at)) throw new RangeError('a day as YYYYMMDD expected');
  return at;
}
