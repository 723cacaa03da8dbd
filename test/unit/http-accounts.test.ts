/** Accounts and their passwords: who gets in, who is kept, what the store holds. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Accounts } from '../../firmware/src/http/accounts.ts';
import { passwordHashesActiveMax, passwordHashesWaitingMax } from '../../firmware/src/http/limits.ts';
import { makeOneTimePassword, PasswordHasher } from '../../firmware/src/http/password-hash.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/memory-store.ts';

async function openAccounts(store = new MemoryStore()): Promise<Accounts> {
  const accounts = new Accounts(store, new ManualClock(), new PasswordHasher());
  await accounts.open();
  return accounts;
}

test('the first administrator gets a one-time password, which nobody else has', async () => {
  const accounts = await openAccounts();
  const first = await accounts.issueFirst();
  assert.equal(first?.account.name, 'admin');
  assert.equal(first.account.role, 'administrator');
  assert.equal(first.account.mustChangePassword, true);
  assert.equal(await accounts.authenticate('admin', 'admin'), undefined);
  assert.equal((await accounts.authenticate('admin', first.oneTimePassword))?.mustChangePassword, true);
});

test('until a password is set, each start voids the one-time password of the start before', async () => {
  const store = new MemoryStore();
  const lost = await (await openAccounts(store)).issueFirst();
  const accounts = await openAccounts(store);
  const found = await accounts.issueFirst();
  assert.ok(lost && found);
  assert.equal(await accounts.authenticate('admin', lost.oneTimePassword), undefined);
  assert.ok(await accounts.authenticate('admin', found.oneTimePassword));
});

test('a set password holds, across restarts, and the one-time password is worth nothing any more', async () => {
  const store = new MemoryStore();
  const accounts = await openAccounts(store);
  const first = await accounts.issueFirst();
  assert.ok(first);
  assert.equal(await accounts.changePassword('admin', 'not it', 'four quiet words'), 'wrong-password');
  const same = await accounts.changePassword('admin', first.oneTimePassword, first.oneTimePassword);
  assert.equal(same, 'same-password');
  assert.equal(
    await accounts.changePassword('admin', first.oneTimePassword, 'Admin-2026!!!'),
    'contains-name',
  );
  assert.equal(await accounts.changePassword('admin', first.oneTimePassword, 'four quiet words'), 'changed');

  const restarted = await openAccounts(store);
  assert.equal(await restarted.issueFirst(), undefined);
  assert.equal(await restarted.authenticate('admin', first.oneTimePassword), undefined);
  const loggedIn = await restarted.authenticate('admin', 'four quiet words');
  assert.equal(loggedIn?.mustChangePassword, false);
});

test('a password is the same however its letters were composed', async () => {
  const accounts = await openAccounts();
  const first = await accounts.issueFirst();
  assert.ok(first);
  await accounts.changePassword('admin', first.oneTimePassword, 'caf\u00e9 au lait, bitte');
  assert.ok(await accounts.authenticate('admin', 'cafe\u0301 au lait, bitte'));
});

test('names are taken once, also by two administrators at once', async () => {
  const accounts = await openAccounts();
  await accounts.issueFirst();
  const outcomes = await Promise.allSettled([
    accounts.create('rita', 'reception', 'admin'),
    accounts.create('rita', 'clinician', 'admin'),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  assert.equal(accounts.find('rita')?.role, 'reception');
});

test('one administrator always stays', async () => {
  const accounts = await openAccounts();
  await accounts.issueFirst();
  await accounts.create('second', 'administrator', 'admin');
  await assert.rejects(accounts.remove('admin', 'admin'), { code: 'NOT_AUTHORISED' });
  const outcomes = await Promise.allSettled([
    accounts.remove('second', 'admin'),
    accounts.remove('admin', 'second'),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  assert.deepEqual(
    accounts.list().map(({ name }) => name),
    ['admin'],
  );
});

test('the store holds no password, and a damaged record is named', async () => {
  const store = new MemoryStore();
  const first = await (await openAccounts(store)).issueFirst();
  assert.ok(first);
  const stored = [...store.values.values()].map((value) => Buffer.from(value).toString('latin1')).join('');
  assert.ok(stored.includes('"name":"admin"'));
  assert.ok(!stored.includes(first.oneTimePassword));
  for (const damage of ['{"name":"admin"', '{"name":"admin"}', '[]']) {
    store.values.set('account/admin', Buffer.from(damage));
    await assert.rejects(openAccounts(store), { code: 'STORE_CORRUPT', message: /account\/admin/ });
  }
});

test('more password hashes than the box can bear are refused, and the others are computed', async () => {
  const hasher = new PasswordHasher();
  const bearable = passwordHashesActiveMax + passwordHashesWaitingMax;
  const outcomes = await Promise.allSettled(
    Array.from({ length: bearable + 2 }, async (_, index) => hasher.hash(`password ${index}`)),
  );
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, bearable);
  for (const outcome of outcomes.slice(bearable)) {
    assert.equal(outcome.status, 'rejected');
    assert.equal((outcome.reason as { code: string }).code, 'BUSY');
  }
  assert.ok(await hasher.hash('afterwards there is room again'));
});

test('one-time passwords are typed without doubt and never the same', () => {
  const made = Array.from({ length: 200 }, makeOneTimePassword);
  for (const password of made) assert.match(password, /^([a-hj-km-np-z2-9]{5}-){3}[a-hj-km-np-z2-9]{5}$/);
  assert.equal(new Set(made).size, made.length);
});
