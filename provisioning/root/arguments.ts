/** Arguments as people type them. */
import { InvalidArgumentError } from 'commander';
import { fromHex } from '../../firmware/src/encoding/bytes.ts';

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
