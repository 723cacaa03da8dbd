/** Wrapped keys, sealed records, and the few logs that are open at a time. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { unwrapKey, wrapKey } from '../../firmware/src/store/key-wrap.ts';
import { openLogsMax } from '../../firmware/src/store/limits.ts';
import { OpenLogs, type RestingLog } from '../../firmware/src/store/open-logs.ts';
import { openRecord, sealRecord } from '../../firmware/src/store/sealed-record.ts';

const key = randomBytes(32);
const corrupt = { code: 'STORE_CORRUPT' };

for (const { name, seal, open } of [
  { name: 'a wrapped key', seal: wrapKey, open: unwrapKey },
  {
    name: 'a sealed record',
    seal: (of: Uint8Array, plaintext: Uint8Array, place: string) => sealRecord(of, place, plaintext),
    open: (of: Uint8Array, sealed: Uint8Array, place: string) => openRecord(of, place, sealed),
  },
]) {
  test(`${name} opens under its key, at its place, unchanged, and not otherwise`, () => {
    const plaintext = randomBytes(32);
    const sealed = seal(key, plaintext, 'here');
    assert.ok(Buffer.from(open(key, sealed, 'here')).equals(plaintext));
    assert.ok(!Buffer.from(sealed).includes(plaintext));
    assert.throws(() => open(randomBytes(32), sealed, 'here'), corrupt);
    assert.throws(() => open(key, sealed, 'there'), corrupt);
    assert.throws(() => open(key, sealed, ''), corrupt);
    for (let at = 0; at < sealed.length; at++) {
      const changed = Uint8Array.from(sealed, (byte, i) => (i === at ? byte ^ 0x40 : byte));
      assert.throws(() => open(key, changed, 'here'), corrupt, `byte ${at}`);
    }
    for (let length = 0; length < sealed.length; length++)
      assert.throws(() => open(key, sealed.subarray(0, length), 'here'), corrupt, `${length} bytes`);
    assert.throws(() => open(key, Buffer.concat([sealed, Buffer.of(0)]), 'here'), corrupt);
  });

  test(`${name} of the same bytes never looks the same`, () => {
    const seen = new Set(
      Array.from({ length: 50 }, () => Buffer.from(seal(key, key, 'here')).toString('hex')),
    );
    assert.equal(seen.size, 50);
  });
}

/** A log that only knows whether it is open. */
class CountedLog implements RestingLog {
  opened = 0;
  closed = 0;

  get isOpen(): boolean {
    return this.opened > this.closed;
  }

  use(logs: OpenLogs, work: Promise<unknown> = Promise.resolve()): Promise<void> {
    return logs.use(this, async () => {
      if (!this.isOpen) this.opened++;
      await work;
    });
  }

  rest(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}

function makeLogs(): { readonly openLogs: OpenLogs; readonly logs: readonly CountedLog[] } {
  return { openLogs: new OpenLogs(), logs: Array.from({ length: 2 * openLogsMax }, () => new CountedLog()) };
}

const openOf = (logs: readonly CountedLog[]): number => logs.filter(({ isOpen }) => isOpen).length;

test('the logs that were used last stay open, no more than the limit, each closed once', async () => {
  const { openLogs, logs } = makeLogs();
  const [first, second, ...others] = logs;
  assert.ok(first !== undefined && second !== undefined);
  for (const log of logs.slice(0, openLogsMax)) await log.use(openLogs);
  assert.equal(openOf(logs), openLogsMax);
  await first.use(openLogs);
  assert.equal(first.opened, 1, 'what is open is used again');
  await others.at(-1)?.use(openLogs);
  assert.equal(openOf(logs), openLogsMax);
  assert.ok(first.isOpen && !second.isOpen, 'the one that waited longest is closed');
  await second.use(openLogs);
  assert.equal(second.opened, 2);
  await openLogs.close();
  assert.equal(openOf(logs), 0);
  assert.ok(logs.every(({ opened, closed }) => opened === closed));
});

test('a log in use is not closed under its user', async () => {
  const { openLogs, logs } = makeLogs();
  const { promise, resolve } = Promise.withResolvers<void>();
  const busy = new CountedLog();
  const using = busy.use(openLogs, promise);
  for (const log of logs) await log.use(openLogs);
  assert.ok(busy.isOpen);
  resolve();
  await using;
  await openLogs.close();
  assert.ok(!busy.isOpen);
  assert.equal(openOf(logs), 0);
});

test('a log that is told to rest does so once, and is opened again by its next user', async () => {
  const { openLogs } = makeLogs();
  const log = new CountedLog();
  await openLogs.rest(log);
  assert.equal(log.closed, 0, 'it was not open');
  await log.use(openLogs);
  await openLogs.rest(log);
  await openLogs.rest(log);
  assert.deepEqual([log.opened, log.closed], [1, 1]);
  await log.use(openLogs);
  assert.deepEqual([log.opened, log.isOpen], [2, true]);
  await openLogs.close();
  assert.ok(!log.isOpen);
});

test('idle logs rest once, though senders go on at once; those in use are left alone', async () => {
  const { openLogs } = makeLogs();
  const { promise, resolve } = Promise.withResolvers<void>();
  const busy = new CountedLog();
  const using = busy.use(openLogs, promise);
  /** Its sender sends again as soon as it rests. */
  class RestlessLog extends CountedLog {
    override async rest(): Promise<void> {
      await super.rest();
      assert.ok(this.closed <= 10, 'it is never left in peace');
      await this.use(openLogs);
    }
  }
  const restless = new RestlessLog();
  await restless.use(openLogs);
  await openLogs.restIdle();
  assert.deepEqual([restless.closed, restless.opened, busy.closed], [1, 2, 0]);
  resolve();
  await using;
  await openLogs.restIdle();
  assert.deepEqual([restless.closed, busy.closed], [2, 1]);
});

test('a log whose use fails is closed with the others', async () => {
  const { openLogs } = makeLogs();
  const log = new CountedLog();
  await assert.rejects(log.use(openLogs, Promise.reject(new Error('its use'))), /its use/);
  assert.ok(log.isOpen);
  await openLogs.close();
  assert.ok(!log.isOpen);
});
