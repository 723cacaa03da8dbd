/**
 * How far one study has come at one destination, as it stands on disk. The study's manifest itself is the queue: an
 * entry says from which object on it still has to be sent, and which ones before that are exceptions.
 */
import { decodeIfCanonical, isCount, isList, isText, mapWith } from '../encoding/cbor-fields.ts';
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import { AppError } from '../errors.ts';
import type { IndexRange } from './index-ranges.ts';
import { reasonCharactersMax } from './limits.ts';

export interface SetAside {
  readonly range: IndexRange;
  /** What the destination said. Never patient data. */
  readonly reason: string;
  /** UTC milliseconds. */
  readonly at: number;
}

export interface QueueEntry {
  /** Objects from the first on that were dealt with: taken, passed over, or named below. */
  readonly taken: number;
  /** Objects that were held before this destination was known: not sent unless an admin says so. */
  readonly before: number;
  /** Below `taken`, to be sent (again): deferred, asked for by an admin, or not committed to. */
  readonly again: readonly IndexRange[];
  /** Refused for good; sent again when an admin says so. */
  readonly setAside: readonly SetAside[];
  /** Refused for good, and an admin gave up on it: sent again only with the whole study. */
  readonly givenUp: readonly IndexRange[];
  /** Whether a fetched study is whole and to be delivered; says nothing of what modalities sent. */
  readonly enqueued: boolean;
  /** S of the patient's account here, for a fetched study: leads to the local patient ID. */
  readonly patientAccount: Uint8Array | null;
  /** Objects that the last notification of the destination covered. */
  readonly notified: number;
  /** Objects for which the destination has been asked for storage commitment. */
  readonly committed: number;
  /** Results since its last full commitment that named objects to which the destination did not commit. */
  readonly commitmentFailures: number;
  /** When it last moved, UTC milliseconds. */
  readonly at: number;
}

export const newEntry: Omit<QueueEntry, 'at'> = {
  taken: 0,
  before: 0,
  again: [],
  setAside: [],
  givenUp: [],
  enqueued: false,
  patientAccount: null,
  notified: 0,
  committed: 0,
  commitmentFailures: 0,
};

export function encodeEntry(entry: QueueEntry): Uint8Array {
  const { taken, before, again, setAside, givenUp, enqueued, patientAccount, notified, committed } = entry;
  const { commitmentFailures, at } = entry;
  const value = {
    taken,
    before,
    again: again.map((range) => [...range]),
    setAside: setAside.map((aside) => ({ range: [...aside.range], reason: aside.reason, at: aside.at })),
    givenUp: givenUp.map((range) => [...range]),
    enqueued,
    patientAccount,
    notified,
    committed,
    commitmentFailures,
    at,
  };
  return encodeCanonical(value);
}

/** @throws AppError STORE_CORRUPT. */
export function decodeEntry(bytes: Uint8Array): QueueEntry {
  const keys = [
    'taken',
    'before',
    'again',
    'setAside',
    'givenUp',
    'enqueued',
    'patientAccount',
    'notified',
    'committed',
    'commitmentFailures',
    'at',
  ];
  const map = mapWith(decodeIfCanonical(bytes), keys);
  if (map === undefined) throw corrupt();
  const { enqueued, patientAccount } = map;
  if (typeof enqueued !== 'boolean') throw corrupt();
  if (patientAccount !== null && !(patientAccount instanceof Uint8Array)) throw corrupt();
  return {
    taken: count(map['taken']),
    before: count(map['before']),
    again: list(map['again']).map(range),
    setAside: list(map['setAside']).map(aside),
    givenUp: list(map['givenUp']).map(range),
    enqueued,
    patientAccount,
    notified: count(map['notified']),
    committed: count(map['committed']),
    commitmentFailures: count(map['commitmentFailures']),
    at: count(map['at']),
  };
}

const corrupt = (): AppError => new AppError('STORE_CORRUPT', 'An entry of a forwarding queue is damaged.');

function count(value: CborValue | undefined): number {
  if (!isCount(value, Number.MAX_SAFE_INTEGER)) throw corrupt();
  return value;
}

function list(value: CborValue | undefined): readonly CborValue[] {
  if (!isList(value)) throw corrupt();
  return value;
}

function range(value: CborValue | undefined): IndexRange {
  const [first, length, ...rest] = list(value);
  if (rest.length > 0) throw corrupt();
  return [count(first), count(length)];
}

function aside(value: CborValue): SetAside {
  const map = mapWith(value, ['range', 'reason', 'at']);
  // A clipped reason may hold characters of four bytes.
  if (map === undefined || !isText(map['reason'], 4 * reasonCharactersMax)) throw corrupt();
  return { range: range(map['range']), reason: map['reason'], at: count(map['at']) };
}
