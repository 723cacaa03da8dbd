/** Which receipt of a permission is the last: no other is signed until it can be final no more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBasisId } from '../../firmware/src/ledger/ids.ts';
import { toStudyId } from '../../firmware/src/ledger/index.ts';
import { type OpenSession, OpenSessions } from '../../firmware/src/release/open-sessions.ts';
import { MemoryStore } from '../support/memory-store.ts';

const of = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const basis = toBasisId(of(9));

/** Receipts that are signed one after the other; their identifiers are hashes, so in any order. */
function session(number: number, id: number, change: Partial<OpenSession> = {}): OpenSession {
  return {
    openId: of(id),
    grantId: of(9),
    studyId: toStudyId(of(1)),
    institution: 'south',
    granteeKey: of(2),
    head: of(3),
    validUntil: 1000 * number,
    streamed: false,
    ...change,
  };
}

test('what is streamed under an earlier receipt makes it the last no more, before a restart and after it', async () => {
  const store = new MemoryStore();
  const sessions = new OpenSessions(store);
  const [first, second] = [session(1, 8), session(2, 4)];
  await sessions.keep(first);
  await sessions.keep(second);
  await sessions.keep({ ...first, streamed: true });
  assert.deepEqual(sessions.lastOf(basis), second);
  await sessions.keep({ ...second, streamed: true });
  assert.equal(sessions.lastOf(basis)?.streamed, true);
  const restarted = new OpenSessions(store);
  await restarted.load();
  assert.deepEqual(restarted.lastOf(basis), { ...second, streamed: true });
});

test('a receipt that could not be written down is not the last', async () => {
  const store = new MemoryStore();
  const sessions = new OpenSessions(store);
  const first = session(1, 8);
  await sessions.keep(first);
  store.write = () => Promise.reject(new Error('the disk is full'));
  await assert.rejects(sessions.keep(session(2, 4)));
  assert.equal(sessions.lastOf(basis), first);
  await assert.rejects(sessions.keep(session(3, 5, { grantId: of(7) })));
  assert.equal(sessions.lastOf(toBasisId(of(7))), undefined);
});
