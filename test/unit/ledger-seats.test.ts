/** Sets of seats, and the members who have them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ShapeError } from '../../firmware/src/ledger/fields.ts';
import { seatsMax } from '../../firmware/src/ledger/limits.ts';
import {
  countOf,
  firstMembers,
  idsIn,
  membersRecord,
  seatOf,
  withId,
  withoutId,
} from '../../firmware/src/ledger/consortium/members-record.ts';
import {
  hasSeat,
  noSeats,
  seatSet,
  seatSetField,
  seatsIn,
  toSeat,
} from '../../firmware/src/ledger/consortium/seats.ts';

const aSeat = fc.nat({ max: seatsMax - 1 }).map(toSeat);

test('a set of seats has what was put into it, in one form', () => {
  fc.assert(
    fc.property(fc.uniqueArray(aSeat, { maxLength: 40 }), aSeat, (seats, other) => {
      const set = seatSet(seats);
      assert.deepEqual(
        seatsIn(set),
        [...seats].sort((a, b) => a - b),
      );
      assert.equal(hasSeat(set, other), seats.includes(other));
      assert.deepEqual(seatSet([...seats].reverse()), set);
      assert.deepEqual(seatSetField(Uint8Array.from(set), 'set'), set);
    }),
    { seed: 37 },
  );
});

test('seats stand in the bits that the format says', () => {
  assert.deepEqual([...seatSet([0, 3, 9].map(toSeat))], [0b1001, 0b10]);
  assert.deepEqual([...noSeats], []);
});

test('what is no set in its one form is refused, and no seat is beyond the last', () => {
  assert.throws(() => seatSetField(Uint8Array.of(1, 0), 'set'), ShapeError);
  assert.throws(() => seatSetField(Uint8Array.of(0), 'set'), ShapeError);
  assert.throws(() => seatSetField(new Uint8Array(seatsMax / 8 + 1).fill(1), 'set'), ShapeError);
  assert.throws(() => toSeat(seatsMax), RangeError);
  assert.throws(() => toSeat(-1), RangeError);
});

test('a seat is its member’s alone, also when it comes again', () => {
  const first = firstMembers(['north', 'south', 'east']);
  assert.deepEqual(first, { ids: ['east', 'north', 'south'], seats: [2, 0, 1], seatsGiven: 3 });
  const said = seatSet([seatOf(first, 'south'), seatOf(first, 'east')]);
  const gone = withoutId(first, 'south');
  assert.deepEqual(idsIn(gone, said), ['east']);
  const again = withId(gone, 'south');
  assert.equal(seatOf(again, 'south'), 3);
  assert.deepEqual(idsIn(again, said), ['east']);
  assert.equal(countOf(again, said), 1);
  assert.throws(() => seatOf(gone, 'south'), RangeError);
});

test('the record of the members has each seat once, and none that was not given', () => {
  const record = firstMembers(['north', 'south']);
  const decoded = (change: object): string =>
    membersRecord.decode(membersRecord.encode({ ...record, ...change })).kind;
  assert.equal(decoded({}), 'decoded');
  for (const change of [
    { seats: [0, 0].map(toSeat) },
    { seats: [0, 2].map(toSeat) },
    { seats: [toSeat(0)] },
    { seatsGiven: 1 },
    { seatsGiven: seatsMax + 1 },
  ])
    assert.equal(decoded(change), 'refused', JSON.stringify(change));
});
