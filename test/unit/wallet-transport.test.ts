/** The command line's transport: one certificate, bounded answers, one clear error for each way to fail. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import test from 'node:test';
import { HttpsTransport } from '../../provisioning/wallet/https-transport.ts';
import { serveWallets } from '../support/wallet-server.ts';
import { withCode } from '../support/wallet-set-up.ts';

const bounds = { timeoutMs: 5_000, answerBytesMax: 1_000 };
const transport = new HttpsTransport();
const get = { method: 'GET', path: '/wallet/v1/ledger/head' } as const;

test('requests and answers travel whole, several in a row', async () => {
  await using server = await serveWallets((request) => ({ status: 201, body: request }));
  const post = { method: 'POST', path: '/wallet/v1/challenge?a=%2F', body: { words: 'Größe' } } as const;
  assert.deepEqual(await transport.request(server, post, bounds), { status: 201, body: post });
  const answer = await transport.request(server, get, bounds);
  assert.deepEqual(answer.body, get);
});

test('another certificate than the ticket names: nothing is sent', async () => {
  await using server = await serveWallets(() => ({ status: 200, body: {} }));
  await using other = await serveWallets(() => ({ status: 200, body: {} }));
  const swapped = { ...server, certificateSha256: other.certificateSha256 };
  await assert.rejects(transport.request(swapped, get, bounds), withCode('PEER_MISBEHAVED'));
  assert.deepEqual(server.seen, []);
});

test('an answer that is too long or no JSON is refused', async () => {
  await using server = await serveWallets(({ path }) => ({
    status: 200,
    body: path === '/long' ? JSON.stringify('x'.repeat(1_000)) : '{',
  }));
  const path = (name: string) => ({ method: 'GET', path: name }) as const;
  await assert.rejects(transport.request(server, path('/long'), bounds), withCode('PEER_MISBEHAVED'));
  await assert.rejects(transport.request(server, path('/cut'), bounds), withCode('PEER_MISBEHAVED'));
});

test('a box that hangs up, does not answer, speaks no TLS or is not there cannot be reached', async () => {
  const unreachable = withCode('PEER_UNREACHABLE');
  {
    await using server = await serveWallets(() => Promise.reject(new Error('hangs up')));
    await assert.rejects(transport.request(server, get, bounds), unreachable);
  }
  {
    await using server = await serveWallets(() => new Promise(() => undefined));
    await assert.rejects(transport.request(server, get, { ...bounds, timeoutMs: 200 }), unreachable);
  }
  const silent = createServer((socket) => {
    socket.on('error', () => socket.destroy()).resume();
  });
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const box = { origin: `https://127.0.0.1:${port}`, certificateSha256: '00'.repeat(32) };
  await assert.rejects(transport.request(box, get, { ...bounds, timeoutMs: 200 }), unreachable);
  silent.close();
  await once(silent, 'close');
  await assert.rejects(transport.request(box, get, bounds), unreachable);
});
