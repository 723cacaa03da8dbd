/** Arguments as people type them. */
import { InvalidArgumentError } from 'commander';
import { fromHex } from '../../firmware/src/encoding/bytes.ts';
import type { Abstaining } from '../../firmware/src/restart/restart-order.ts';

export function wholeNumber(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('A whole number is expected.');
  return Number(value);
}

export function indexes(value: string): readonly number[] {
  return value.split(',').map(wholeNumber);
}

export function digest(value: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(value))
    throw new InvalidArgumentError('64 lower-case hexadecimal digits are expected.');
  return fromHex(value);
}

/** Ascending by institution, as a restart order has them. */
export function forgetful(value: string): readonly Abstaining[] {
  const starts = new Map<string, number>();
  for (const item of value.split(',')) {
    const [institution = '', start = '', ...rest] = item.split('=');
    if (institution === '' || rest.length > 0 || starts.has(institution))
      throw new InvalidArgumentError('Each hospital once, with its count of starts: a=3,b=7.');
    starts.set(institution, wholeNumber(start));
  }
  const ascending = [...starts].sort(([a], [b]) => (a < b ? -1 : 1));
  return ascending.map(([institution, start]) => ({ institution, start }));
}
