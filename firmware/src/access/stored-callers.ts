/** How callers lie in the box's index: canonical CBOR (docs/formats.md), read strictly. */
import type { CborValue } from '../encoding/canonical-cbor.ts';
import { decodeIfCanonical, isCount, isList, mapWith } from '../encoding/cbor-fields.ts';
import { AppError } from '../errors.ts';
import { callerFromCbor, callerToCbor, type Caller, type ShownCertificate } from './caller.ts';
import { grounds, type CallerRequest, type Ground } from './decision.ts';
import type { PendingCaller } from './pending-callers.ts';

/** A caller that an administrator admitted. */
export interface Admitted {
  readonly id: string;
  readonly caller: Caller;
  /** The account. */
  readonly by: string;
  /** UTC milliseconds. */
  readonly at: number;
}

const unknownForm = (key: string): AppError =>
  new AppError('STORE_CORRUPT', `The record ${key} of the access list has an unknown form.`);

export function admittedToCbor({ id, caller, by, at }: Admitted): CborValue {
  return { id, by, at, caller: callerToCbor(caller) };
}

/** @throws AppError STORE_CORRUPT naming the key. */
export function admittedFromBytes(key: string, bytes: Uint8Array): Admitted {
  const map = mapWith(decodeIfCanonical(bytes), ['id', 'by', 'at', 'caller']);
  const caller = callerFromCbor(map?.['caller']);
  const { id, by, at } = map ?? {};
  if (caller === undefined || typeof id !== 'string' || typeof by !== 'string' || !isTime(at))
    throw unknownForm(key);
  return { id, caller, by, at };
}

export function pendingToCbor(callers: readonly PendingCaller[]): CborValue {
  return callers.map(({ request, ...rest }) => ({ ...rest, request: requestToCbor(request) }));
}

/** Seen first first, the order in which they are remembered. @throws AppError STORE_CORRUPT naming the key. */
export function pendingFromBytes(key: string, bytes: Uint8Array): readonly PendingCaller[] {
  const list = decodeIfCanonical(bytes);
  if (!isList(list)) throw unknownForm(key);
  return list
    .map((value) => {
      const caller = pendingFromCbor(value);
      if (caller === undefined) throw unknownForm(key);
      return caller;
    })
    .reverse();
}

function pendingFromCbor(value: CborValue): PendingCaller | undefined {
  const keys = ['id', 'request', 'ground', 'firstAt', 'lastAt', 'count', 'dismissedAt'];
  const map = mapWith(value, keys);
  const request = requestFromCbor(map?.['request']);
  if (map === undefined || request === undefined) return undefined;
  const { id, ground, firstAt, lastAt, count, dismissedAt = null } = map;
  const isWhole = typeof id === 'string' && isGround(ground) && isTime(firstAt) && isTime(lastAt);
  if (!isWhole || !isTime(count) || (dismissedAt !== null && !isTime(dismissedAt))) return undefined;
  return { id, request, ground, firstAt, lastAt, count, dismissedAt };
}

function requestToCbor({ certificate, ...request }: CallerRequest): CborValue {
  const { sha256, commonName = null } = certificate ?? {};
  return { ...request, certificate: sha256 === undefined ? null : { sha256, commonName } };
}

function requestFromCbor(value: CborValue | undefined): CallerRequest | undefined {
  const keys = ['callingAeTitle', 'calledAeTitle', 'remoteAddress', 'certificate', 'sopClassUids'];
  const map = mapWith(value, keys);
  if (map === undefined) return undefined;
  const { callingAeTitle, calledAeTitle, remoteAddress, sopClassUids } = map;
  if (typeof callingAeTitle !== 'string' || typeof calledAeTitle !== 'string') return undefined;
  if (typeof remoteAddress !== 'string' || !isList(sopClassUids)) return undefined;
  const uids = sopClassUids.filter((uid) => typeof uid === 'string');
  const certificate = certificateFromCbor(map['certificate']);
  return {
    callingAeTitle,
    calledAeTitle,
    remoteAddress,
    sopClassUids: uids,
    ...(certificate !== undefined && { certificate }),
  };
}

function certificateFromCbor(value: CborValue | undefined): ShownCertificate | undefined {
  const map = mapWith(value, ['sha256', 'commonName']);
  const { sha256, commonName } = map ?? {};
  if (typeof sha256 !== 'string') return undefined;
  return { sha256, ...(typeof commonName === 'string' && { commonName }) };
}

const isTime = (value: CborValue | undefined): value is number => isCount(value, Number.MAX_SAFE_INTEGER);

function isGround(value: CborValue | undefined): value is Ground {
  return typeof value === 'string' && (grounds as readonly string[]).includes(value);
}
