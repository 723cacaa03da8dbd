/** Over real HTTPS: who may use which route, how people log in, and what strangers and other pages cannot do. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import type { ErrorAnswer, NewAccount, Role } from '../../firmware/src/http/contract.ts';
import {
  loginBackOffMsMin,
  loginFailureMemoryMsMax,
  loginFailuresFreeMax,
  sessionIdleMsMax,
} from '../../firmware/src/http/limits.ts';
import { adminPassword, ConsoleFixture } from '../support/console-fixture.ts';
import type { Answer, HttpsClient } from '../support/https-client.ts';
import { ManualClock } from '../support/manual-clock.ts';

const roles: readonly Role[] = ['administrator', 'reception', 'clinician', 'auditor'];
const clock = new ManualClock();
let box: ConsoleFixture;
let people: Readonly<Record<Role, HttpsClient>>;

before(async () => {
  box = await ConsoleFixture.start({ clock });
  const administrator = await box.administrator();
  people = {
    administrator,
    reception: await box.person(administrator, 'rita', 'reception'),
    clinician: await box.person(administrator, 'carl', 'clinician'),
    auditor: await box.person(administrator, 'anna', 'auditor'),
  };
});

after(async () => box.stop());

const codeOf = ({ json }: Answer): string => (json as ErrorAnswer).code;

/** Calls a route in a way that changes nothing when it is let through. */
async function knock(client: HttpsClient, method: string, url: string): Promise<Answer> {
  const path = url.replace(':name', 'nobody').replace(':id', 'nothing');
  // A stream does not end by itself: its head says enough.
  if (url.endsWith('/events')) {
    const response = await client.open('GET', path);
    const { statusCode: status = 0, headers } = response;
    if (status === 200) response.destroy();
    else response.resume();
    return { status, headers, text: '', json: { code: '' } };
  }
  return client.call(method, path, method === 'GET' ? {} : { body: { nonsense: true } });
}

test('each route lets in the roles that it names, and nobody else', async () => {
  const stranger = box.client();
  const guarded = box.server.routes.filter(({ access }) => access !== 'public');
  assert.ok(guarded.length >= 8);
  for (const { method, url, access } of guarded) {
    const place = `${method} ${url}`;
    assert.equal((await knock(stranger, method, url)).status, 401, `${place} for a stranger`);
    // These end or change the session itself; their own tests follow.
    if (url.endsWith('/logout') || url.endsWith('/password')) continue;
    for (const role of roles) {
      const { status } = await knock(people[role], method, url);
      if (access.includes(role))
        assert.ok(status !== 401 && status !== 403, `${place} for ${role}: ${status}`);
      else assert.equal(status, 403, `${place} for ${role}`);
    }
  }
});

test('the routes that need no login are these and no others', () => {
  const open = box.server.routes.filter(({ access }) => access === 'public');
  assert.deepEqual(open.map(({ method, url }) => `${method} ${url}`).sort(), [
    'GET /',
    'GET /api/v1/me',
    'GET /healthz',
    'GET /wallet/v1/ledger/genesis',
    'GET /wallet/v1/ledger/handover',
    'GET /wallet/v1/ledger/head',
    'GET /wallet/v1/ledger/proof',
    'POST /api/v1/login',
    'POST /attestation/v1',
    'POST /wallet/v1/bindings',
    'POST /wallet/v1/challenge',
    'POST /wallet/v1/mailbox',
    'POST /wallet/v1/transactions',
  ]);
});

test('a one-time password opens nothing but its own change, and is then worth nothing', async () => {
  const made = await people.administrator.call('POST', '/api/v1/accounts', {
    body: { name: 'nina', role: 'administrator' },
  });
  assert.equal(made.status, 201);
  const { oneTimePassword } = made.json as NewAccount;
  const nina = box.client();
  await nina.call('POST', '/api/v1/login', { body: { name: 'nina', password: oneTimePassword } });
  for (const { method, url, access } of box.server.routes) {
    if (access === 'public' || url.endsWith('/logout') || url.endsWith('/password')) continue;
    assert.equal((await knock(nina, method, url)).status, 403, `${method} ${url}`);
  }
  assert.equal(codeOf(await nina.call('GET', '/api/v1/overview')), 'PASSWORD_CHANGE_REQUIRED');
  const short = { current: oneTimePassword, next: 'too short' };
  assert.match((await nina.call('POST', '/api/v1/password', { body: short })).text, /field next/);
  const changed = { current: oneTimePassword, next: adminPassword };
  assert.equal((await nina.call('POST', '/api/v1/password', { body: changed })).status, 204);
  assert.equal((await nina.call('GET', '/api/v1/overview')).status, 200);
  const again = await box.client().call('POST', '/api/v1/login', {
    body: { name: 'nina', password: oneTimePassword },
  });
  assert.equal(codeOf(again), 'LOGIN_FAILED');
});

test('a changed password ends all other sessions, a removed account all of them, a logout its own', async () => {
  const first = await box.person(people.administrator, 'paul', 'clinician');
  const second = box.client();
  await second.call('POST', '/api/v1/login', { body: { name: 'paul', password: adminPassword } });
  assert.equal((await second.call('GET', '/api/v1/overview')).status, 200);
  const body = { current: adminPassword, next: 'other quiet words' };
  assert.equal((await first.call('POST', '/api/v1/password', { body })).status, 204);
  assert.equal((await second.call('GET', '/api/v1/overview')).status, 401);
  assert.equal((await first.call('GET', '/api/v1/overview')).status, 200);

  const stolen = first.cookie;
  assert.equal((await first.call('POST', '/api/v1/logout')).status, 204);
  assert.equal(first.cookie, undefined);
  first.cookie = stolen;
  assert.equal((await first.call('GET', '/api/v1/overview')).status, 401);

  await first.call('POST', '/api/v1/login', { body: { name: 'paul', password: 'other quiet words' } });
  assert.equal((await people.administrator.call('DELETE', '/api/v1/accounts/paul')).status, 204);
  assert.equal((await first.call('GET', '/api/v1/overview')).status, 401);
});

test('the cookie stays with this box, out of scripts and out of other pages', async () => {
  const client = box.client();
  const { headers } = await client.call('POST', '/api/v1/login', {
    body: { name: 'carl', password: adminPassword },
  });
  const [cookie = ''] = headers['set-cookie'] ?? [];
  assert.match(cookie, new RegExp(`^__Host-hilum-${box.server.port}=[A-Za-z0-9_-]{43};`));
  for (const attribute of ['Path=/', 'Secure', 'HttpOnly', 'SameSite=Strict']) {
    assert.ok(cookie.split('; ').includes(attribute), attribute);
  }
  assert.ok(!/domain|expires|max-age/i.test(cookie));
});

test('another page cannot act in the person’s name', async () => {
  const { origin } = people.reception;
  const foreign = [
    'https://evil.example',
    'null',
    origin.replace('https', 'http'),
    `${origin}.evil.example`,
    '',
  ];
  for (const each of foreign) {
    const answer = await people.reception.call('POST', '/api/v1/tickets', {
      body: {},
      headers: { origin: each },
    });
    assert.equal(codeOf(answer), 'ORIGIN_REFUSED', each);
  }
  const login = {
    body: { name: 'carl', password: adminPassword },
    headers: { origin: 'https://evil.example' },
  };
  assert.equal(codeOf(await box.client().call('POST', '/api/v1/login', login)), 'ORIGIN_REFUSED');
});

test('how a path is written does not decide whether another page may act', async () => {
  const foreign = { headers: { origin: 'https://evil.example' } };
  const body = { name: 'eve', role: 'administrator' };
  for (const path of ['/%61pi/v1/accounts', '/api/v1/%61ccounts']) {
    const answer = await people.administrator.call('POST', path, { body, ...foreign });
    assert.equal(codeOf(answer), 'ORIGIN_REFUSED', path);
  }
  assert.equal(codeOf(await people.clinician.call('POST', '/api/v1/logout', foreign)), 'ORIGIN_REFUSED');
  assert.equal((await people.clinician.call('GET', '/api/v1/overview')).status, 200);
});

test('a foreign name that was pointed at the box is refused, also for reading; wallets may use any', async () => {
  const rebound = { host: 'evil.example', origin: 'https://evil.example' };
  const act = { body: { name: 'eve', role: 'clinician' }, headers: rebound };
  assert.equal(codeOf(await people.administrator.call('POST', '/api/v1/accounts', act)), 'ORIGIN_REFUSED');
  for (const path of ['/', '/api/v1/me', '/api/v1/overview']) {
    const answer = await people.administrator.call('GET', path, { headers: rebound });
    assert.equal(codeOf(answer), 'ORIGIN_REFUSED', path);
  }
  const local = `localhost:${box.server.port}`;
  const named = { headers: { host: local, origin: `https://${local}` } };
  assert.equal((await people.reception.call('GET', '/api/v1/overview', named)).status, 200);
  const challenge = await box.client().call('POST', '/wallet/v1/challenge', { body: {}, headers: rebound });
  assert.equal(challenge.status, 200);
  assert.equal((await box.client().call('GET', '/healthz', { headers: rebound })).status, 200);
});

test('what a person typed as name is not logged unless it is one', async () => {
  await box
    .client()
    .call('POST', '/api/v1/login', { body: { name: 'my-password-by-mistake', password: 'x' } });
  assert.ok(box.logger.lines.some((line) => line.includes('login failed')));
  assert.ok(!box.logger.lines.join('\n').includes('my-password-by-mistake'));
});

test('guessing is slowed down, also for the right password, and a wrong name answers like a wrong password', async () => {
  const guesser = box.client();
  const guess = async (name: string, password: string) =>
    guesser.call('POST', '/api/v1/login', { body: { name, password } });
  const unknown = await guess('nobody', 'wrong password');
  const wrong = await guess('anna', 'wrong password');
  assert.deepEqual([wrong.status, wrong.json], [unknown.status, unknown.json]);
  for (let i = 0; i < loginFailuresFreeMax; i++) await guess('anna', 'wrong password');
  const locked = await guess('anna', adminPassword);
  assert.equal(locked.status, 429);
  assert.equal(codeOf(locked), 'TOO_MANY_REQUESTS');
  assert.ok(Number(locked.headers['retry-after']) >= loginBackOffMsMin / 1000);
  clock.advance(Number(locked.headers['retry-after']) * 1000);
  assert.equal((await guess('anna', adminPassword)).status, 200);
});

test('a session that is left alone ends', async () => {
  // The guesses of before are forgotten.
  clock.advance(loginFailureMemoryMsMax);
  const left = box.client();
  await left.call('POST', '/api/v1/login', { body: { name: 'carl', password: adminPassword } });
  clock.advance(sessionIdleMsMax - 1);
  assert.equal((await left.call('GET', '/api/v1/overview')).status, 200);
  clock.advance(sessionIdleMsMax);
  assert.equal((await left.call('GET', '/api/v1/overview')).status, 401);
  const me = await left.call('GET', '/api/v1/me');
  assert.deepEqual(me.json, {
    institution: { id: 'north', name: 'Northgate Hospital' },
    account: null,
    passwordCharactersMin: 12,
  });
});
