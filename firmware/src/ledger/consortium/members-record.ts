/** The members with their seats. */
import { institutionIdField, integerField, listField, mapField, ShapeError } from '../fields.ts';
import { institutionsMax, seatsMax } from '../limits.ts';
import { recordFormat } from '../record-format.ts';
import { commonSeats, hasSeat, seatSet, toSeat, type Seat, type SeatSet } from './seats.ts';

/** Under `institutions`. */
export interface MembersRecord {
  /** In the order of their UTF-16 code units. */
  readonly ids: readonly string[];
  /** Of each, in the order of `ids`. */
  readonly seats: readonly Seat[];
  /** Seats that there have been: the next member takes the seat of this number. */
  readonly seatsGiven: number;
}

export const membersRecord = recordFormat<MembersRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'members', ['ids', 'seats', 'seatsGiven']);
    const ids = listField(map.ids, 'ids', 1, institutionsMax).map((id, index) =>
      institutionIdField(id, `ids[${index}]`),
    );
    const seatsGiven = integerField(map.seatsGiven, 'seatsGiven', ids.length, seatsMax);
    const seats = listField(map.seats, 'seats', ids.length, ids.length).map((seat, index) =>
      toSeat(integerField(seat, `seats[${index}]`, 0, seatsGiven - 1)),
    );
    if (new Set(seats).size < seats.length) throw new ShapeError('seats: one stands there twice');
    return { ids, seats, seatsGiven };
  },
);

/** The members of a genesis document, in its order. */
export function firstMembers(ids: readonly string[]): MembersRecord {
  return ids.reduce(withId, { ids: [], seats: [], seatsGiven: 0 });
}

/** With one more member, who takes a new seat. @throws RangeError if there is none left. */
export function withId({ ids, seats, seatsGiven }: MembersRecord, id: string): MembersRecord {
  const before = ids.filter((other) => other < id).length;
  return {
    ids: ids.toSpliced(before, 0, id),
    seats: seats.toSpliced(before, 0, toSeat(seatsGiven)),
    seatsGiven: seatsGiven + 1,
  };
}

/** Without this member: its seat stays empty. */
export function withoutId({ ids, seats, seatsGiven }: MembersRecord, id: string): MembersRecord {
  const place = ids.indexOf(id);
  if (place < 0) throw new RangeError(`${id} is no member`);
  return { ids: ids.toSpliced(place, 1), seats: seats.toSpliced(place, 1), seatsGiven };
}

/** @throws RangeError if it is no member. */
export function seatOf({ ids, seats }: MembersRecord, id: string): Seat {
  const seat = seats[ids.indexOf(id)];
  if (seat === undefined) throw new RangeError(`${id} is no member`);
  return seat;
}

/** The seats of these members as a set, made once: whatever is voted on counts by it. */
const seatSets = new WeakMap<MembersRecord, SeatSet>();

/** How many members are in the set. */
export function countOf(members: MembersRecord, set: SeatSet): number {
  const known = seatSets.get(members);
  const seats = known ?? seatSet(members.seats);
  if (known === undefined) seatSets.set(members, seats);
  return commonSeats(seats, set);
}

/** Ids of the members that are in the set, in order. */
export function idsIn({ ids, seats }: MembersRecord, set: SeatSet): readonly string[] {
  return ids.filter((_id, index) => {
    const seat = seats[index];
    return seat !== undefined && hasSeat(set, seat);
  });
}
