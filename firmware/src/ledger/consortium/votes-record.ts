/**
 * The votes on one proposal, apart from what it says: whoever votes reads and writes two sets of seats, and whoever is
 * removed changes none of them.
 */
import { mapField } from '../fields.ts';
import { recordFormat } from '../record-format.ts';
import { hasSeat, noSeats, seatSet, seatSetField, seatsIn, type Seat, type SeatSet } from './seats.ts';

/** Under `votes/<proposal>`, as long as the proposal stands. No seat is in both. */
export interface VotesRecord {
  readonly approving: SeatSet;
  readonly rejecting: SeatSet;
}

export const noVotes: VotesRecord = { approving: noSeats, rejecting: noSeats };

export const votesRecord = recordFormat<VotesRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'votes', ['approving', 'rejecting']);
    return {
      approving: seatSetField(map.approving, 'approving'),
      rejecting: seatSetField(map.rejecting, 'rejecting'),
    };
  },
);

export function hasVoted({ approving, rejecting }: VotesRecord, seat: Seat): boolean {
  return hasSeat(approving, seat) || hasSeat(rejecting, seat);
}

export function withVote({ approving, rejecting }: VotesRecord, seat: Seat, approve: boolean): VotesRecord {
  const withSeat = (set: SeatSet): SeatSet => seatSet([...seatsIn(set), seat]);
  return approve
    ? { approving: withSeat(approving), rejecting }
    : { approving, rejecting: withSeat(rejecting) };
}
