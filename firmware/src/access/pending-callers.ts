/**
 * Callers that were refused, so that an administrator sees the new modality that cannot connect. Bounded so that a
 * flood of invented names costs the flood: the address with most entries, in the network with most, gives way.
 */
import { randomBytes } from 'node:crypto';
import { toHex } from '../encoding/bytes.ts';
import { networkOf } from './address-range.ts';
import type { CallerRequest, Ground } from './decision.ts';
import { dismissedMsMax, pendingCallersMax, pendingMsMax, pendingSopClassesMax } from './limits.ts';

export interface PendingCaller {
  readonly id: string;
  /** The newest attempt of this AE title from this address; `sopClassUids` cut to `pendingSopClassesMax`. */
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

/** Field by field: what else a request carries, such as a password, is not for keeping. */
function worthKeeping(request: CallerRequest): CallerRequest {
  const { callingAeTitle, calledAeTitle, remoteAddress, certificate, sopClassUids } = request;
  return {
    callingAeTitle,
    calledAeTitle,
    remoteAddress,
    sopClassUids: [...new Set(sopClassUids)].slice(0, pendingSopClassesMax),
    ...(certificate !== undefined && { certificate }),
  };
}

export class PendingCallers {
  /** The one seen last stands last. */
  readonly #byKey = new Map<string, Entry>();

  restore(callers: Iterable<PendingCaller>): void {
    for (const caller of callers) this.#put(caller);
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
  record(request: CallerRequest, ground: Ground, now: number): void {
    this.#forgetBefore(now - pendingMsMax);
    const earlier = this.#byKey.get(keyOf(request))?.caller;
    const dismissedAt = earlier?.ground === ground ? earlier.dismissedAt : null;
    const isHidden = dismissedAt !== null && now - dismissedAt < dismissedMsMax;
    this.#put({
      id: earlier?.id ?? toHex(randomBytes(8)),
      request: worthKeeping(request),
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
