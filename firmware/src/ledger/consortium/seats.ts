/**
 * Who of the members said something, as a set of seats: one bit for each seat. A seat is a member's from its admission to its
 * removal and never another's, so that what is said by a seat counts exactly while its institution is that member.
 *
 * Bit s stands in byte ⌊s / 8⌋ with the value 2^(s mod 8). The last byte is not zero, so that each set has one form.
 */
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { boundedBytesField, ShapeError } from '../fields.ts';
import { seatsMax } from '../limits.ts';

declare const brand: unique symbol;
/** From 0 on, in the order of admission. */
export type Seat = number & { readonly [brand]: 'Seat' };

/** A set of seats in its one form. Never changed in place. */
export type SeatSet = Uint8Array & { readonly [brand]: 'SeatSet' };

export const noSeats = new Uint8Array(0) as SeatSet;

/** @throws RangeError if there is no such seat. */
export function toSeat(number: number): Seat {
  if (!Number.isSafeInteger(number) || number < 0 || number >= seatsMax)
    throw new RangeError(`no seat ${number}`);
  return number as Seat;
}

export function hasSeat(set: SeatSet, seat: Seat): boolean {
  return ((set[seat >> 3] ?? 0) & (1 << (seat & 7))) !== 0;
}

/** The set of these seats. */
export function seatSet(seats: readonly Seat[]): SeatSet {
  const set = new Uint8Array(seats.reduce((bytes, seat) => Math.max(bytes, (seat >> 3) + 1), 0));
  for (const seat of seats) set[seat >> 3] = (set[seat >> 3] ?? 0) | (1 << (seat & 7));
  return set as SeatSet;
}

/** How many seats are in both. */
export function commonSeats(set: SeatSet, other: SeatSet): number {
  let count = 0;
  for (let index = 0; index < Math.min(set.length, other.length); index++) {
    for (let rest = (set[index] ?? 0) & (other[index] ?? 0); rest > 0; rest &= rest - 1) count++;
  }
  return count;
}

/** In ascending order. */
export function seatsIn(set: SeatSet): readonly Seat[] {
  const seats: Seat[] = [];
  for (const [index, byte] of set.entries())
    for (let bit = 0; byte >> bit > 0; bit++) if ((byte >> bit) & 1) seats.push(toSeat(8 * index + bit));
  return seats;
}

/** @throws ShapeError */
export function seatSetField(value: CborValue, path: string): SeatSet {
  const bytes = boundedBytesField(value, path, 0, seatsMax / 8);
  if (bytes.at(-1) === 0) throw new ShapeError(`${path}: seats end with a zero`);
  return bytes as SeatSet;
}
