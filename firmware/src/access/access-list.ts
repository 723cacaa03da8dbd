/**
 * The access list of the box's DICOM ports: callers of the configuration and those that administrators admitted on the
 * console, and the callers that were refused. Kept encrypted; nothing of it but identifiers reaches the log.
 */
import { randomBytes } from 'node:crypto';
import { toHex } from '../encoding/bytes.ts';
import { encodeCanonical } from '../encoding/canonical-cbor.ts';
import { AppError } from '../errors.ts';
import type { Clock, HealthBoard, KeyValueStore, Logger, Service, Timer, Unsubscribe } from '../ports.ts';
import { CallerRule, faultOf, type Caller, type ReachedAt } from './caller.ts';
import type { Permission } from './permissions.ts';
import { decide, type AccessDecision, type CallerRequest } from './decision.ts';
import { callersKeptMax, pendingWriteMsMin } from './limits.ts';
import { PendingCallers, type PendingCaller } from './pending-callers.ts';
import {
  admittedFromBytes,
  admittedToCbor,
  pendingFromBytes,
  pendingToCbor,
  type Admitted,
} from './stored-callers.ts';

export interface AccessListOptions {
  /** AE titles by which the box may be called. */
  readonly aeTitles: readonly string[];
  /** Callers of the configuration file. */
  readonly configured: readonly Caller[];
  /** Its values are encrypted at rest; the list lives under `access/`. */
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

/** A caller as it stands in the list. */
export interface ListedCaller {
  readonly id: string;
  readonly caller: Caller;
  /** Who admitted it and when, UTC milliseconds; null for one of the configuration. */
  readonly admitted: { readonly by: string; readonly at: number } | null;
  /** Its newest association since the start of the box, and how many it had. */
  readonly seen: Seen | null;
}

export interface Seen {
  /** UTC milliseconds. */
  readonly at: number;
  readonly count: number;
  readonly remoteAddress: string;
  /** What it asked for and may not do: its services were refused, the association was not. */
  readonly lacked: readonly Permission[];
}

export type Changed = { readonly kind: 'changed' } | { readonly kind: 'refused'; readonly reason: string };

interface Entry {
  readonly id: string;
  rule: CallerRule;
  admitted: ListedCaller['admitted'];
  seen: Seen | null;
}

const prefix = 'access/caller/';
const pendingKey = 'access/pending';
const subject = 'access list';

export class AccessList implements Service {
  readonly #options: AccessListOptions;
  readonly #entries: Entry[] = [];
  readonly #pending = new PendingCallers();
  readonly #listeners = new Set<() => void>();
  /** Changes are written one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #writing: Timer | undefined;

  /** @throws AppError CONFIG_INVALID naming the caller of the configuration that is wrong. */
  constructor(options: AccessListOptions) {
    this.#options = options;
    for (const [index, caller] of options.configured.entries()) {
      const fault = faultOf(caller, options.aeTitles);
      if (fault !== undefined)
        throw new AppError('CONFIG_INVALID', `Configuration: dicom.callers[${index}]: ${fault}.`);
      const id = `configured-${index}`;
      this.#entries.push({ id, rule: new CallerRule(caller), admitted: null, seen: null });
    }
  }

  /** Reads what was kept. @throws AppError STORE_CORRUPT. */
  async start(): Promise<void> {
    const { store } = this.#options;
    for await (const [key, value] of store.list(prefix)) this.#enter(admittedFromBytes(key, value));
    const kept = await store.get(pendingKey);
    if (kept !== undefined) this.#pending.restore(pendingFromBytes(pendingKey, kept));
    this.#forgetSettled();
  }

  async stop(): Promise<void> {
    const isDirty = this.#writing !== undefined;
    this.#writing?.cancel();
    this.#writing = undefined;
    if (isDirty) await this.#writePending();
    // Whoever asked for a change hears of its failure; here only its end matters.
    await this.#inTurn(() => Promise.resolve());
  }

  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Judges an association and remembers that it was asked for. */
  decide(request: CallerRequest): AccessDecision {
    const { clock } = this.#options;
    const decision = this.#judge(request);
    if (decision.kind === 'refused') {
      this.#pending.record(request, decision.ground, clock.now());
      this.#writePendingLater();
    } else {
      for (const entry of this.#entries) {
        if (!decision.by.includes(entry.rule)) continue;
        const { remoteAddress, asks = [] } = request;
        const lacked = asks.filter((permission) => !decision.may.has(permission));
        entry.seen = { at: clock.now(), count: (entry.seen?.count ?? 0) + 1, remoteAddress, lacked };
      }
    }
    this.#tell();
    return decision;
  }

  /** Whether what this caller sends may correct what is kept. */
  mayCorrect(request: Omit<CallerRequest, 'sopClassUids'>): boolean {
    const decision = this.#judge({ ...request, sopClassUids: [] });
    return decision.kind === 'admitted' && decision.by.some(({ caller }) => caller.mayCorrect);
  }

  /** Where the application entity of this title is reached, as far as the list says. */
  reachedAt(callingAeTitle: string): ReachedAt | undefined {
    for (const { rule } of this.#entries) {
      if (rule.caller.callingAeTitle === callingAeTitle && rule.caller.reachedAt !== null)
        return rule.caller.reachedAt;
    }
    return undefined;
  }

  /** Those that administrators admitted first, newest first; then those of the configuration. */
  callers(): readonly ListedCaller[] {
    return this.#entries
      .map(({ id, rule, admitted, seen }) => ({ id, caller: rule.caller, admitted, seen }))
      .sort((a, b) => (b.admitted?.at ?? 0) - (a.admitted?.at ?? 0));
  }

  /** Refused callers that an administrator should see, seen last first. */
  pending(): readonly PendingCaller[] {
    return this.#pending.shown();
  }

  /** On disk when it resolves. `by` is the account that did it. */
  async admit(caller: Caller, by: string): Promise<Changed> {
    return this.#inTurn(async () => {
      const kept = this.#entries.filter(({ admitted }) => admitted !== null).length;
      if (kept >= callersKeptMax)
        return { kind: 'refused', reason: `there are ${callersKeptMax} admitted callers already` };
      return this.#keep({ id: toHex(randomBytes(8)), caller, by, at: this.#options.clock.now() });
    });
  }

  /** Puts another in the place of one that was admitted on the console. On disk when it resolves. */
  async replace(id: string, caller: Caller, by: string): Promise<Changed> {
    return this.#inTurn(async () => {
      const entry = this.#changeable(id);
      if ('reason' in entry) return entry;
      return this.#keep({ id, caller, by, at: this.#options.clock.now() });
    });
  }

  /** Running associations go on; the next is refused. */
  async remove(id: string, by: string): Promise<Changed> {
    return this.#inTurn(async () => {
      const { logger, store } = this.#options;
      const entry = this.#changeable(id);
      if ('reason' in entry) return entry;
      await store.write([{ delete: prefix + id }]);
      this.#entries.splice(this.#entries.indexOf(entry), 1);
      logger.info({ account: by, callingAeTitle: entry.rule.caller.callingAeTitle }, 'caller removed');
      this.#tell();
      return { kind: 'changed' };
    });
  }

  /** Shows a refused caller no more, until it comes for another reason or a week has passed. */
  dismiss(id: string, by: string): Changed {
    const { clock, logger } = this.#options;
    if (!this.#pending.dismiss(id, clock.now()))
      return { kind: 'refused', reason: 'there is no such refused caller' };
    logger.info({ account: by }, 'refused caller dismissed');
    this.#writePendingLater();
    this.#tell();
    return { kind: 'changed' };
  }

  #judge(request: CallerRequest): AccessDecision {
    const rules = this.#entries.map(({ rule }) => rule);
    return decide(rules, this.#options.aeTitles, request);
  }

  /** Only those that were admitted on the console are changed there. */
  #changeable(id: string): Entry | Extract<Changed, { kind: 'refused' }> {
    const entry = this.#entries.find((one) => one.id === id);
    if (entry === undefined) return { kind: 'refused', reason: 'there is no such caller' };
    if (entry.admitted !== null) return entry;
    return { kind: 'refused', reason: 'the caller stands in the configuration file of the box' };
  }

  async #keep(admitted: Admitted): Promise<Changed> {
    const { aeTitles, logger, store } = this.#options;
    const { id, caller, by } = admitted;
    const fault = faultOf(caller, aeTitles);
    if (fault !== undefined) return { kind: 'refused', reason: fault };
    await store.write([{ put: prefix + id, value: encodeCanonical(admittedToCbor(admitted)) }]);
    this.#enter(admitted);
    this.#forgetSettled();
    this.#writePendingLater();
    const { callingAeTitle, may, mayCorrect } = caller;
    logger.info({ account: by, callingAeTitle, may, mayCorrect }, 'caller admitted');
    this.#tell();
    return { kind: 'changed' };
  }

  #enter({ id, caller, by, at }: Admitted): void {
    const rule = new CallerRule(caller);
    const entry = this.#entries.find((one) => one.id === id);
    if (entry === undefined) this.#entries.push({ id, rule, admitted: { by, at }, seen: null });
    else Object.assign(entry, { rule, admitted: { by, at }, seen: null });
  }

  #forgetSettled(): void {
    this.#pending.forget(({ request }) => this.#judge(request).kind === 'admitted');
  }

  #writePendingLater(): void {
    this.#writing ??= this.#options.clock.setTimer(pendingWriteMsMin, () => {
      this.#writing = undefined;
      void this.#writePending();
    });
  }

  /** Refused callers are a help, not a promise: a disk that fails is an alarm, and the next change is written again. */
  async #writePending(): Promise<void> {
    const { store, health, logger } = this.#options;
    await this.#inTurn(async () => {
      try {
        const value = encodeCanonical(pendingToCbor(this.#pending.all()));
        await store.write([{ put: pendingKey, value }]);
        health.clear('STORE_FAILED', subject);
      } catch (error) {
        logger.error({ error }, 'refused callers could not be written');
        health.raise('STORE_FAILED', subject, 'Refused callers could not be written to the index.');
      }
    });
  }

  async #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(act, act);
    this.#last = turn;
    return turn;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

export type { Caller, CallerRequest, PendingCaller };
