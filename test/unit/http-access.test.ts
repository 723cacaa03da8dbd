/** Access is denied by default: a route that does not say who may use it is not registered. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { guardRoutes } from '../../firmware/src/http/access.ts';
import { Accounts } from '../../firmware/src/http/accounts.ts';
import { createApp } from '../../firmware/src/http/app.ts';
import {
  keepAliveMsMax,
  requestHeadMsMax,
  requestMsMax,
  socketIdleMsMax,
  walletSubmitMsMax,
} from '../../firmware/src/http/limits.ts';
import { PasswordHasher } from '../../firmware/src/http/password-hash.ts';
import { Sessions } from '../../firmware/src/http/sessions.ts';
import { openTlsIdentity } from '../../firmware/src/http/tls-identity.ts';
import { requestTimeoutMs } from '../../firmware/wallet/limits.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

test('a route without a declared access is not registered', async () => {
  const store = new MemoryStore();
  const clock = new ManualClock();
  const tls = await openTlsIdentity(store, clock, { institution: 'north', host: '10.0.0.7' });
  const app = await createApp(tls, new RecordingLogger());
  const accounts = new Accounts(store, clock, new PasswordHasher());
  const routes = guardRoutes(app, accounts, new Sessions(store, clock), () => ['https://localhost:80']);
  try {
    assert.throws(() => app.get('/forgotten', () => 'open to all'), /\/forgotten declares no access/);
    assert.throws(() => app.get('/too', { config: {} }, () => 'open to all'), /\/too declares no access/);
    app.get('/declared', { config: { access: ['auditor'] } }, () => 'for auditors');
    assert.throws(
      () => app.get('/both', { config: { access: ['auditor'], anyOrigin: true } }, () => 'for any page'),
      /\/both acts for a person, and from any origin/,
    );
    assert.deepEqual(routes, [{ method: 'GET', url: '/declared', access: ['auditor'] }]);
    const { statusCode } = await app.inject('/declared');
    assert.equal(statusCode, 401);
  } finally {
    await app.close();
  }
});

test('who asks nothing keeps no connection', async () => {
  const tls = await openTlsIdentity(new MemoryStore(), new ManualClock(), {
    institution: 'north',
    host: '10.0.0.7',
  });
  const app = await createApp(tls, new RecordingLogger());
  const { server } = app;
  assert.equal(server.headersTimeout, requestHeadMsMax);
  assert.equal(server.requestTimeout, requestMsMax);
  assert.equal(server.keepAliveTimeout, keepAliveMsMax);
  assert.equal(server.timeout, socketIdleMsMax);
  await app.close();
});

test('the box answers a submitted transaction before the wallet gives up', () => {
  assert.ok(walletSubmitMsMax < requestTimeoutMs);
});
