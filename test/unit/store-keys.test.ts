/** Wrapped keys, sealed records, and the few logs that are open at a time. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import { unwrapKey, wrapKey } from '../../firmware/src/store/key-wrap.ts';
import { openLogsMax } from '../../firmware/src/store/limits.ts';
import { OpenLogs } from '../../firmware/src/store/open-logs.ts';
import { openRecord, sealRecord } from '../../firmware/src/store/sealed-record.ts';
import { MemoryAppendLog } from '../fakes/append-log.ts';

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

class CountedLog extends MemoryAppendLog {
  closed = 0;

  override close(): Promise<void> {
    this.closed++;
    return super.close();
  }
}

function makeLogs() {
  const opened: { readonly path: string; readonly log: CountedLog }[] = [];
  const fault: { path?: string } = {};
  const logs = new OpenLogs(async (path) => {
    if (fault.path === path) throw new Error('cannot be opened');
    const log = new CountedLog();
    opened.push({ path, log });
    return Promise.resolve(log);
  });
  const open = (): string[] => opened.filter(({ log }) => log.closed === 0).map(({ path }) => path);
  return { logs, opened, open, fault };
}

test('the logs that were used last stay open, no more than the limit, each closed once', async () => {
  const { logs, opened, open } = makeLogs();
  const nothing = (): Promise<void> => Promise.resolve();
  for (let i = 0; i < openLogsMax; i++) await logs.use(`log ${i}`, nothing);
  assert.equal(open().length, openLogsMax);
  await logs.use('log 0', nothing);
  assert.equal(opened.length, openLogsMax, 'what is open is used again');
  await logs.use('one more', nothing);
  assert.equal(open().length, openLogsMax);
  assert.ok(open().includes('log 0') && !open().includes('log 1'), 'the one that waited longest is closed');
  await logs.use('log 1', nothing);
  assert.equal(opened.length, openLogsMax + 2);
  await logs.close();
  assert.deepEqual(open(), []);
  assert.ok(opened.every(({ log }) => log.closed === 1));
});

test('a log in use is not closed under its user', async () => {
  const { logs, open } = makeLogs();
  const { promise, resolve } = Promise.withResolvers<void>();
  const using = logs.use('busy', async (log) => {
    await promise;
    await log.append([utf8('record')]);
  });
  for (let i = 0; i < 2 * openLogsMax; i++) await logs.use(`log ${i}`, () => Promise.resolve());
  assert.ok(open().includes('busy'));
  resolve();
  await using;
  await logs.close();
  assert.deepEqual(open(), []);
});

test('two users at the same time share one log', async () => {
  const { logs, opened } = makeLogs();
  await Promise.all([1, 2, 3].map((n) => logs.use('shared', (log) => log.append([Uint8Array.of(n)]))));
  assert.equal(opened.length, 1);
  assert.equal(opened[0]?.log.length, 3);
  await logs.close();
});

test('a log that does not open is tried again; one whose use fails is closed with the others', async () => {
  const { logs, opened, open, fault } = makeLogs();
  fault.path = 'a';
  const use = (): Promise<void> => logs.use('a', () => Promise.resolve());
  await Promise.all([assert.rejects(use(), /cannot be opened/), assert.rejects(use(), /cannot be opened/)]);
  delete fault.path;
  await use();
  assert.equal(opened.length, 1);
  await assert.rejects(
    logs.use('a', () => Promise.reject(new Error('its use'))),
    /its use/,
  );
  await use();
  await logs.close();
  assert.deepEqual(open(), []);
});
