/**
 * Lock-out with back-off after wrong passwords, per account and per address. An account that is locked out answers the
 * right password as it answers a wrong one, so that guessing learns nothing during the wait.
 */
import { isIPv6 } from 'node:net';
import type { Clock } from '../ports.ts';
import {
  loginBackOffMsMax,
  loginBackOffMsMin,
  loginFailureMemoryMsMax,
  loginFailuresFreeMax,
  loginThrottleEntriesMax,
} from './limits.ts';

interface Failures {
  readonly count: number;
  readonly lastAt: number;
  readonly blockedUntil: number;
}

export class LoginThrottle {
  readonly #clock: Clock;
  /** Least recently failed first. Names that no account has are counted too: the answer must not tell. */
  readonly #failures = new Map<string, Failures>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until the next try counts, 0 if it counts now. */
  waitMs(account: string, address: string): number {
    const now = this.#clock.now();
    return Math.max(
      0,
      ...keysOf(account, address).map((key) => (this.#failures.get(key)?.blockedUntil ?? 0) - now),
    );
  }

  /**
   * Before the password is looked at, so that many tries at once count one by one; `succeeded` takes it back.
   */
  attempted(account: string, address: string): void {
    const now = this.#clock.now();
    for (const key of keysOf(account, address)) {
      const before = this.#failures.get(key);
      const remembered =
        before !== undefined && now - before.lastAt < loginFailureMemoryMsMax ? before.count : 0;
      const count = remembered + 1;
      const blockedUntil = count <= loginFailuresFreeMax ? 0 : now + backOffMs(count);
      this.#failures.delete(key);
      this.#failures.set(key, { count, lastAt: now, blockedUntil });
    }
    for (const key of this.#failures.keys()) {
      if (this.#failures.size <= loginThrottleEntriesMax) break;
      this.#failures.delete(key);
    }
  }

  /**
   * Clears the account. Of the address only this try is taken back: a guesser with an account of his own must not
   * clear his guesses at other accounts with it.
   */
  succeeded(account: string, address: string): void {
    const [accountKey, addressKey] = keysOf(account, address);
    this.#failures.delete(accountKey);
    const before = this.#failures.get(addressKey);
    if (before === undefined) return;
    if (before.count <= 1) this.#failures.delete(addressKey);
    else this.#failures.set(addressKey, { ...before, count: before.count - 1, blockedUntil: 0 });
  }
}

function backOffMs(count: number): number {
  return Math.min(loginBackOffMsMax, loginBackOffMsMin * 2 ** (count - loginFailuresFreeMax - 1));
}

function keysOf(account: string, address: string): readonly [string, string] {
  return [`account ${account}`, `address ${addressGroup(address)}`];
}

/** An IPv6 host has a /64 to itself: its addresses are counted as one. Mapped IPv4 addresses are IPv4. */
export function addressGroup(address: string): string {
  const [plain = ''] = address.replace(/^::ffff:(?=\d+\.)/, '').split('%', 1);
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  const groups = [...before, ...(tail === undefined ? [] : zeros), ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
