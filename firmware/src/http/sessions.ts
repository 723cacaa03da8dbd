/**
 * Sessions of logged-in people: 32 random bytes in a cookie, of which the store holds the SHA-256 only, so that a copy
 * of the store opens no session. They survive a restart of the box.
 */
import { createHash, randomBytes } from 'node:crypto';
import { Type, type Static } from 'typebox';
import type { Clock, KeyValueChange, KeyValueStore } from '../ports.ts';
import { accountNameSchema } from './contract.ts';
import {
  sessionAbsoluteMsMax,
  sessionIdleMsMax,
  sessionsMax,
  sessionsPerAccountMax,
  sessionTouchMsMin,
} from './limits.ts';
import { encodeRecord, listRecords } from './stored-record.ts';

const sessionRecordSchema = Type.Object({
  /** SHA-256 of the token, hexadecimal. */
  id: Type.String(),
  account: accountNameSchema,
  startedAt: Type.Number(),
  /** The last act of the person, exact to `sessionTouchMsMin` on disk. */
  lastActAt: Type.Number(),
});
type SessionRecord = Static<typeof sessionRecordSchema>;

const prefix = 'session/';
const tokenBytes = 32;
const tokenPattern = /^[A-Za-z0-9_-]{43}$/;

export class Sessions {
  readonly #store: KeyValueStore;
  readonly #clock: Clock;
  /** By id, in the order in which they began. */
  readonly #records = new Map<string, SessionRecord>();
  /** When `lastActAt` was last written. */
  readonly #writtenAt = new Map<string, number>();

  constructor(store: KeyValueStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Reads the sessions, and forgets those that ended while the box was off. */
  async open(): Promise<void> {
    const records = [...(await listRecords(this.#store, sessionRecordSchema, prefix))];
    records.sort((a, b) => a.startedAt - b.startedAt);
    for (const record of records) {
      this.#records.set(record.id, record);
      this.#writtenAt.set(record.id, record.lastActAt);
    }
    await this.#end(records.filter((record) => !this.#lives(record)));
  }

  /** Returns the token for the cookie. The account's oldest session ends when it has too many. */
  async begin(account: string): Promise<string> {
    const token = randomBytes(tokenBytes).toString('base64url');
    const now = this.#clock.now();
    const record: SessionRecord = { id: idOf(token), account, startedAt: now, lastActAt: now };
    const own = [...this.#records.values()].filter((other) => other.account === account);
    const surplus = new Set(own.slice(0, Math.max(0, own.length + 1 - sessionsPerAccountMax)));
    for (const other of this.#records.values()) {
      if (this.#records.size + 1 - surplus.size > sessionsMax || !this.#lives(other)) surplus.add(other);
    }
    this.#records.set(record.id, record);
    this.#writtenAt.set(record.id, now);
    await this.#end([...surplus], [{ put: `${prefix}${record.id}`, value: encodeRecord(record) }]);
    return token;
  }

  /** The session behind a cookie, or undefined if there is none or it has ended. */
  find(token: string | undefined): { readonly id: string; readonly account: string } | undefined {
    if (token === undefined || !tokenPattern.test(token)) return undefined;
    const record = this.#records.get(idOf(token));
    return record !== undefined && this.#lives(record)
      ? { id: record.id, account: record.account }
      : undefined;
  }

  lives(id: string): boolean {
    const record = this.#records.get(id);
    return record !== undefined && this.#lives(record);
  }

  /** Notes that the person did something: the idle time begins anew. */
  async touch(id: string): Promise<void> {
    const record = this.#records.get(id);
    if (record === undefined) return;
    const touched = { ...record, lastActAt: this.#clock.now() };
    this.#records.set(id, touched);
    if (touched.lastActAt - (this.#writtenAt.get(id) ?? 0) < sessionTouchMsMin) return;
    this.#writtenAt.set(id, touched.lastActAt);
    await this.#store.write([{ put: `${prefix}${id}`, value: encodeRecord(touched) }]);
  }

  async end(id: string): Promise<void> {
    const record = this.#records.get(id);
    if (record !== undefined) await this.#end([record]);
  }

  /** After a changed password or a removed account: whoever else held a session is out. */
  async endAllOf(account: string): Promise<void> {
    await this.#end([...this.#records.values()].filter((record) => record.account === account));
  }

  /** In memory first: an ended session is over even if the disk fails; it was never worth more than its times. */
  async #end(ended: readonly SessionRecord[], changes: readonly KeyValueChange[] = []): Promise<void> {
    for (const record of ended) {
      this.#records.delete(record.id);
      this.#writtenAt.delete(record.id);
    }
    const deletions = ended.map((record) => ({ delete: `${prefix}${record.id}` }));
    if (deletions.length + changes.length > 0) await this.#store.write([...deletions, ...changes]);
  }

  #lives(record: SessionRecord): boolean {
    const now = this.#clock.now();
    return now - record.lastActAt < sessionIdleMsMax && now - record.startedAt < sessionAbsoluteMsMax;
  }
}

function idOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
