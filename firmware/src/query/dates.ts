/**
 * Dates and times of keys and objects (PS3.5 6.2, VR DA and TM), and ranges of them (PS3.4 C.2.2.2.5). A value of less
 * precision is the span that it leaves open: 10 is the hour from 10:00:00 on. Spans match where they overlap.
 */

/** Both ends belong to it; they compare as text: `YYYYMMDD`, or the microsecond of the day in eleven digits. */
export interface Span {
  readonly first: string;
  readonly last: string;
}

const firstOfAll = '';
/** Above every digit. */
const lastOfAll = '~';

export const always: Span = { first: firstOfAll, last: lastOfAll };

export function overlap(a: Span, b: Span): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** YYYYMMDD, or YYYY.MM.DD as before DICOM 3.0. Undefined if it is no date. */
export function dateSpan(text: string): Span | undefined {
  const [, year, month, day] =
    /^(\d{4})(?:(\d\d)(\d\d)|\.(\d\d)\.(\d\d))$/.exec(text)?.filter(isPresent) ?? [];
  if (year === undefined || month === undefined || day === undefined) return undefined;
  if (month < '01' || month > '12' || day < '01' || day > '31') return undefined;
  const date = year + month + day;
  return { first: date, last: date };
}

const isPresent = (part: string | undefined): part is string => part !== undefined;

const microsecondsDigits = 11;

/** HH, HHMM, HHMMSS or HHMMSS.F to FFFFFF, or with colons as before DICOM 3.0. Undefined if it is no time. */
export function timeSpan(text: string): Span | undefined {
  const parts = /^(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?$/.exec(text);
  if (parts === null) return undefined;
  const [, hours = '', minutes, seconds, fraction] = parts;
  // 60 is a leap second.
  if (Number(hours) > 23 || Number(minutes ?? 0) > 59 || Number(seconds ?? 0) > 60) return undefined;
  const microseconds = (minute: number, second: number, micro: number): string =>
    String(((Number(hours) * 60 + minute) * 60 + second) * 1_000_000 + micro).padStart(
      microsecondsDigits,
      '0',
    );
  return {
    first: microseconds(Number(minutes ?? 0), Number(seconds ?? 0), Number((fraction ?? '').padEnd(6, '0'))),
    last: microseconds(Number(minutes ?? 59), Number(seconds ?? 59), Number((fraction ?? '').padEnd(6, '9'))),
  };
}

/** A key: one value, or `A-B`, `A-`, `-B` with both ends belonging to it. Undefined if it is neither. */
export function keySpan(key: string, spanOf: (text: string) => Span | undefined): Span | undefined {
  const dash = key.indexOf('-');
  if (dash < 0) return spanOf(key);
  const [from, to] = [key.slice(0, dash).trim(), key.slice(dash + 1).trim()];
  if (from === '' && to === '') return undefined;
  const first = from === '' ? always : spanOf(from);
  const last = to === '' ? always : spanOf(to);
  if (first === undefined || last === undefined) return undefined;
  return { first: first.first, last: last.last };
}

/** Instants from a span of dates and one of times, from the first time of the first day to the last of the last. */
export function instantSpan(date: Span, time: Span): Span {
  return {
    first: date.first === firstOfAll ? firstOfAll : date.first + time.first,
    last: date.last === lastOfAll ? lastOfAll : date.last + time.last,
  };
}
