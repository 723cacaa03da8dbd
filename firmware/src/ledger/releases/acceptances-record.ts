/** The signatures of those who have accepted a release: they can be collected from here into the update itself. */
import { concatBytes } from '../../encoding/bytes.ts';
import type { MembersRecord } from '../consortium/members-record.ts';
import { hasSeat, seatSet, seatsIn, type Seat, type SeatSet } from '../consortium/seats.ts';
import { boundedBytesField, mapField } from '../fields.ts';
import { institutionsMax } from '../limits.ts';
import { recordFormat } from '../record-format.ts';

const signatureBytes = 64;

/**
 * Under `release-acceptances/<digest>`, as long as the release is listed: one value apart from the release's record, so that
 * a release that leaves the list takes all along, and a removal reads none of them.
 */
export interface AcceptancesRecord {
  /** One after the other, of the release's `accepting` in ascending order of the seats. */
  readonly signatures: Uint8Array;
}

export const noAcceptances: AcceptancesRecord = { signatures: new Uint8Array(0) };

export const acceptancesRecord = recordFormat<AcceptancesRecord>(
  (record) => ({ ...record }),
  (value) => {
    const { signatures } = mapField(value, 'acceptances', ['signatures']);
    return { signatures: boundedBytesField(signatures, 'signatures', 0, signatureBytes * institutionsMax) };
  },
);

/** A release's seats with their signatures. */
export interface Acceptances extends AcceptancesRecord {
  readonly accepting: SeatSet;
}

/** That seat's signature, if it is among them. */
export function signatureOf({ accepting, signatures }: Acceptances, seat: Seat): Uint8Array | undefined {
  return hasSeat(accepting, seat) ? at(signatures, seatsIn(accepting).indexOf(seat)).slice() : undefined;
}

/** With one more, and without those of who is no member any more: there are never more than members. */
export function withSignature(
  { accepting, signatures }: Acceptances,
  members: MembersRecord,
  seat: Seat,
  signature: Uint8Array,
): Acceptances {
  const present = new Set(members.seats);
  const kept = seatsIn(accepting)
    .map((other, place) => ({ seat: other, signature: at(signatures, place) }))
    .filter((entry) => present.has(entry.seat));
  const all = [...kept, { seat, signature }].sort((a, b) => a.seat - b.seat);
  return {
    accepting: seatSet(all.map((entry) => entry.seat)),
    signatures: concatBytes(...all.map((entry) => entry.signature)),
  };
}

function at(signatures: Uint8Array, place: number): Uint8Array {
  return signatures.subarray(signatureBytes * place, signatureBytes * (place + 1));
}
