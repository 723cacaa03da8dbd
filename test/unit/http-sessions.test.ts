/** Sessions: when they end, and that the store gives none away. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  sessionAbsoluteMsMax,
  sessionIdleMsMax,
  sessionsPerAccountMax,
  sessionTouchMsMin,
} from '../../firmware/src/http/limits.ts';
import { Sessions } from '../../firmware/src/http/sessions.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/memory-store.ts';

async function openSessions(clock: ManualClock, store = new MemoryStore()): Promise<Sessions> {
  const sessions = new Sessions(store, clock);
  await sessions.open();
  return sessions;
}

test('a session ends after its idle time, which each act begins anew', async () => {
  const clock = new ManualClock();
  const sessions = await openSessions(clock);
  const token = await sessions.begin('rita');
  clock.advance(sessionIdleMsMax - 1);
  const session = sessions.find(token);
  assert.equal(session?.account, 'rita');
  await sessions.touch(session.id);
  clock.advance(sessionIdleMsMax - 1);
  assert.ok(sessions.find(token));
  clock.advance(1);
  assert.equal(sessions.find(token), undefined);
});

test('a session ends after a shift, however busy', async () => {
  const clock = new ManualClock();
  const sessions = await openSessions(clock);
  const token = await sessions.begin('rita');
  for (let at = 0; at < sessionAbsoluteMsMax; at += sessionIdleMsMax / 2) {
    const session = sessions.find(token);
    assert.ok(session);
    await sessions.touch(session.id);
    clock.advance(sessionIdleMsMax / 2);
  }
  assert.equal(sessions.find(token), undefined);
});

test('sessions survive a restart, with their idle time', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const token = await (await openSessions(clock, store)).begin('rita');
  clock.advance(sessionIdleMsMax / 2);
  const restarted = await openSessions(clock, store);
  const session = restarted.find(token);
  assert.ok(session);
  await restarted.touch(session.id);
  clock.advance(sessionIdleMsMax - 1);
  assert.ok((await openSessions(clock, store)).find(token));
  clock.advance(1);
  assert.equal((await openSessions(clock, store)).find(token), undefined);
  assert.equal(store.values.size, 0, 'what has ended is deleted');
});

test('acts are written seldom', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const sessions = await openSessions(clock, store);
  const token = await sessions.begin('rita');
  const [before] = store.values.values();
  clock.advance(sessionTouchMsMin - 1);
  await sessions.touch(sessions.find(token)?.id ?? '');
  assert.equal([...store.values.values()][0], before);
  clock.advance(1);
  await sessions.touch(sessions.find(token)?.id ?? '');
  assert.notEqual([...store.values.values()][0], before);
});

test('the store opens no session', async () => {
  const store = new MemoryStore();
  const sessions = await openSessions(new ManualClock(), store);
  const token = await sessions.begin('rita');
  const [key, value] = [...store.values][0] ?? [];
  assert.ok(key && value);
  assert.ok(!key.includes(token) && !Buffer.from(value).toString('latin1').includes(token));
  assert.equal(sessions.find(key.slice('session/'.length)), undefined);
});

test('an account has a few sessions, of which the oldest gives way', async () => {
  const sessions = await openSessions(new ManualClock());
  const other = await sessions.begin('otto');
  const tokens: string[] = [];
  for (let i = 0; i <= sessionsPerAccountMax; i++) tokens.push(await sessions.begin('rita'));
  const living = tokens.map((token) => sessions.find(token) !== undefined);
  assert.deepEqual(living, [false, ...tokens.slice(1).map(() => true)]);
  await sessions.endAllOf('rita');
  assert.ok(tokens.every((token) => sessions.find(token) === undefined));
  assert.ok(sessions.find(other));
});

test('what is no token finds nothing', async () => {
  const sessions = await openSessions(new ManualClock());
  await sessions.begin('rita');
  for (const token of [undefined, '', 'x', 'a'.repeat(43), 'ä'.repeat(43)]) {
    assert.equal(sessions.find(token), undefined);
  }
});
