/**
 * Callers that were refused, so that an administrator sees the new modality that cannot connect. Bounded so that a
 * flood of invented names costs the flood: the address with most entries, in the network with most, gives way.
 */
import { randomBytes } from 'node:crypto';
import { toHex } from '../encoding/bytes.ts';
import { networkOf } from './address-range.ts';
import type { ShownCertificate } from './caller.ts';
import type { CallerRequest, Ground } from './decision.ts';
import {
  commonNameCharactersMax,
  dismissedMsMax,
  pendingCallersMax,
  pendingMsMax,
  pendingSopClassesMax,
} from './limits.ts';

export interface PendingCaller {
  readonly id: string;
  /** The newest attempt of this AE title from this address; of what it proposes the first `pendingSopClassesMax` UIDs. */
  readonly request: CallerRequest;
  readonly ground: Ground;
  /** UTC milliseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
  /** An administrator does not want to see it: since when; null otherwise. */
  readonly dismissedAt: number | null;
}

/** What one machine, and one site's network, can have: a host, a /64; a /24, a /48. */
const hostBits = { ipv4: 32, ipv6: 64 };
const networkBits = { ipv4: 24, ipv6: 48 };

interface Entry {
  readonly key: string;
  readonly caller: PendingCaller;
  readonly host: string;
  readonly network: string;
}

const keyOf = ({ callingAeTitle, remoteAddress }: CallerRequest): string =>
  `${callingAeTitle}\n${remoteAddress}`;

/** PS3.8 table 9-11: 16 characters; here a bound, whoever hands them in. */
const aeTitleCharactersMax = 16;

/** PS3.5 9.1, at most 64 characters. What a stranger proposes under no such name may be as long as its request. */
const isUid = (text: string): boolean => /^[0-9][0-9.]{0,63}$/.test(text);

/** Field by field and each bounded: what else a request carries, such as a password, is not for keeping. */
function worthKeeping(request: CallerRequest): CallerRequest {
  const { callingAeTitle, calledAeTitle, remoteAddress, certificate, sopClassUids } = request;
  return {
    callingAeTitle: callingAeTitle.slice(0, aeTitleCharactersMax),
    calledAeTitle: calledAeTitle.slice(0, aeTitleCharactersMax),
    remoteAddress,
    sopClassUids: [...new Set(sopClassUids.filter(isUid))].slice(0, pendingSopClassesMax),
    ...(certificate !== undefined && { certificate: recognisable(certificate) }),
  };
}

/** A common name that is longer than any is left out: cut, it would be another's. The digest tells which one it was. */
function recognisable({ sha256, commonName }: ShownCertificate): ShownCertificate {
  const isShort = commonName !== undefined && commonName.length <= commonNameCharactersMax;
  return { sha256, ...(isShort && { commonName }) };
}

export class PendingCallers {
  /** The one seen last stands last. */
  readonly #byKey = new Map<string, Entry>();

  restore(callers: Iterable<PendingCaller>): void {
    for (const caller of callers) this.#put({ ...caller, request: worthKeeping(caller.request) });
  }

  /** Every one, the dismissed too, seen last first. */
  all(): readonly PendingCaller[] {
    return [...this.#byKey.values()].map(({ caller }) => caller).reverse();
  }

  /** Those that an administrator should see, seen last first. */
  shown(): readonly PendingCaller[] {
    return this.all().filter(({ dismissedAt }) => dismissedAt === null);
  }

  /** An attempt at this time, UTC milliseconds. */
  record(asked: CallerRequest, ground: Ground, now: number): void {
    const request = worthKeeping(asked);
    this.#forgetBefore(now - pendingMsMax);
    const earlier = this.#byKey.get(keyOf(request))?.caller;
    const dismissedAt = earlier?.ground === ground ? earlier.dismissedAt : null;
    const isHidden = dismissedAt !== null && now - dismissedAt < dismissedMsMax;
    this.#put({
      id: earlier?.id ?? toHex(randomBytes(8)),
      request,
      ground,
      firstAt: earlier?.firstAt ?? now,
      lastAt: now,
      count: (earlier?.count ?? 0) + 1,
      dismissedAt: isHidden ? dismissedAt : null,
    });
  }

  /** False if there is none of this id. */
  dismiss(id: string, now: number): boolean {
    for (const [key, entry] of this.#byKey) {
      if (entry.caller.id !== id) continue;
      this.#byKey.set(key, { ...entry, caller: { ...entry.caller, dismissedAt: now } });
      return true;
    }
    return false;
  }

  /** Forgets those of which this is true: they have been admitted. */
  forget(isSettled: (caller: PendingCaller) => boolean): void {
    for (const [key, { caller }] of this.#byKey) if (isSettled(caller)) this.#byKey.delete(key);
  }

  #put(caller: PendingCaller): void {
    const key = keyOf(caller.request);
    if (!this.#byKey.delete(key) && this.#byKey.size >= pendingCallersMax) this.#makeRoom();
    const { remoteAddress } = caller.request;
    const host = networkOf(remoteAddress, hostBits);
    this.#byKey.set(key, { key, caller, host, network: networkOf(remoteAddress, networkBits) });
  }

  /** The one seen longest ago, of the host with most entries, in the network with most. */
  #makeRoom(): void {
    const network = largestGroup([...this.#byKey.values()], ({ network }) => network);
    const [oldest] = largestGroup(network, ({ host }) => host);
    if (oldest !== undefined) this.#byKey.delete(oldest.key);
  }

  #forgetBefore(time: number): void {
    this.forget(({ lastAt }) => lastAt < time);
  }
}

/** Those that share the name that most share, in their order. */
function largestGroup(entries: readonly Entry[], nameOf: (entry: Entry) => string): readonly Entry[] {
  let largest: readonly Entry[] = [];
  for (const group of Map.groupBy(entries, nameOf).values())
    if (group.length > largest.length) largest = group;
  return largest;
}
