/** The attestation route over real HTTPS, and the client that asks it: bounded on both ends. */
import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import test, { after, before, beforeEach } from 'node:test';
import { answerBytesMax, requestBytesMax } from '../../firmware/src/attestation/limits.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { askOverHttps } from '../../firmware/src/http/attestation-client.ts';
import { attestationPath, cborType } from '../../firmware/src/http/attestation-routes.ts';
import { attestationsPerMinuteMax } from '../../firmware/src/http/limits.ts';
import { CertificateAuthority } from '../support/certificate-authority.ts';
import { ConsoleFixture } from '../support/console-fixture.ts';

const question = Uint8Array.of(1, 2, 3);
const longAnswer = new Uint8Array(100_000).fill(7);
let box: ConsoleFixture;
let asked: Uint8Array[] = [];
let addresses: string[] = [];
let answer: (request: Uint8Array) => Promise<Uint8Array | undefined>;

before(async () => {
  box = await ConsoleFixture.start({
    answerStranger: (request, address) => {
      asked.push(request);
      addresses.push(address);
      return answer(request);
    },
  });
});
after(async () => box.stop());
beforeEach(() => {
  asked = [];
  addresses = [];
  answer = () => Promise.resolve(longAnswer);
});

const origin = (): string => `https://127.0.0.1:${box.server.port}`;
const never = new AbortController().signal;

test('a request reaches the box and its answer the asker, byte for byte, without a login', async () => {
  assert.deepEqual(await askOverHttps(origin(), never)(question), longAnswer);
  assert.deepEqual(asked, [question]);
  assert.deepEqual(addresses, ['127.0.0.1']);
});

test('what is no request of a verifier is refused, in the form of all errors', async () => {
  const client = box.client();
  const post = (raw: string, type: string) =>
    client.call('POST', attestationPath, { raw, headers: { 'content-type': type } });
  answer = () => Promise.resolve(undefined);
  const nonsense = await post('nonsense', cborType);
  assert.equal(nonsense.status, 400);
  assert.equal((nonsense.json as { readonly code: string }).code, 'REQUEST_INVALID');
  assert.equal(asked.length, 1);
  // JSON is what the other routes take, and CBOR none of them.
  assert.equal((await post('{}', 'application/json')).status, 400);
  assert.equal((await post('x'.repeat(requestBytesMax + 1), cborType)).status, 413);
  assert.equal(asked.length, 1, 'neither reached the TPM');
  const elsewhere = await client.call('POST', '/api/v1/login', {
    raw: 'x',
    headers: { 'content-type': cborType },
  });
  assert.ok(elsewhere.status >= 400 && elsewhere.status < 500);
  assert.equal((await client.call('GET', attestationPath)).status, 404);
});

test('a candidate whose TPM fails did not answer', async () => {
  answer = () => Promise.reject(new AppError('TPM_ABSENT', 'the TPM cannot be reached'));
  await assert.rejects(askOverHttps(origin(), never)(question), { code: 'PEER_UNREACHABLE' });
});

test('who asks on and on is told to wait', async () => {
  const client = box.client();
  let status = 200;
  for (let times = 0; status === 200 && times <= attestationsPerMinuteMax; times += 1) {
    const call = { raw: 'x', headers: { 'content-type': cborType } };
    ({ status } = await client.call('POST', attestationPath, call));
  }
  assert.equal(status, 429);
});

test('a candidate that is not there, answers too much, or is no HTTPS address, costs the asker one error', async (t) => {
  const { certificate, key } = await (await CertificateAuthority.make()).issue({ commonName: 'candidate' });
  const server = createServer({ cert: certificate, key }, (_request, response) => {
    response.end(Buffer.alloc(answerBytesMax + 1));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const ask = (address: string, signal = never) => askOverHttps(address, signal)(question);
  await assert.rejects(ask(`https://127.0.0.1:${port}`), { code: 'PEER_MISBEHAVED' });
  for (const address of ['http://127.0.0.1:9', 'file:///etc/hostname', 'nowhere'])
    await assert.rejects(ask(address), { code: 'PEER_UNREACHABLE' });
  const stopped = new AbortController();
  stopped.abort(new AppError('BUSY', 'the box is stopping'));
  await assert.rejects(ask(`https://127.0.0.1:${port}`, stopped.signal), { code: 'BUSY' });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await assert.rejects(ask(`https://127.0.0.1:${port}`), { code: 'PEER_UNREACHABLE' });
});
