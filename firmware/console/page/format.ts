/** How figures, times and DICOM's texts are shown. */

/** "now", "42 s ago", "3 min ago", "5 h ago", "2 days ago". */
export function formatAge(ms: number): string {
  const span = formatSpan(ms);
  return span === 'now' ? span : `${span} ago`;
}

export function formatSpan(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  if (seconds < 1) return 'now';
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const clockTime = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

export function formatMoment(at: number): string {
  return moment.format(at);
}

export function formatDay(at: number): string {
  return day.format(at);
}

export function formatClockTime(at: number): string {
  return clockTime.format(at);
}

/** Decimal units, as disks and networks are sold. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit] ?? ''}`;
}

const count = new Intl.NumberFormat('en', { useGrouping: true });

/** 4 211, with a thin space, which no language reads as a decimal sign. */
export function formatCount(value: number): string {
  return count.format(value).replaceAll(',', '\u202f');
}

/** DICOM's PN (PS3.5, 6.2.1) `Family^Given^Middle^Prefix^Suffix=…` as `Family, Given Middle`. */
export function formatPersonName(name: string): string {
  const [alphabetic = '', ...others] = name.split('=');
  const group = alphabetic === '' ? (others.find((other) => other !== '') ?? '') : alphabetic;
  const [family = '', ...given] = group.split('^').map((part) => part.trim());
  const rest = given.slice(0, 2).filter((part) => part !== '');
  const shown = [family, rest.join(' ')].filter((part) => part !== '').join(', ');
  return shown === '' ? 'No name' : shown;
}

/** DICOM's DA, 20260105, as 2026-01-05; what is no such date stays as it is. */
export function formatDicomDate(date: string): string {
  return /^\d{8}$/.test(date) ? `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}` : date;
}
