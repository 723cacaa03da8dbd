/** The HTTPS port itself: certificate, start and stop, headers, strict bodies, errors without patient data. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import test, { after, before } from 'node:test';
import { errorTable, type ErrorCode } from '../../firmware/src/errors.ts';
import type { ErrorAnswer, TicketAnswer } from '../../firmware/src/http/contract.ts';
import { connectionsPerAddressMax, overviewStudiesMax } from '../../firmware/src/http/limits.ts';
import { ConsoleFixture } from '../support/console-fixture.ts';
import { exampleStudy } from '../support/fake-box.ts';
import type { Answer, HttpsClient } from '../support/https-client.ts';
import { MemoryStore } from '../support/memory-store.ts';

let box: ConsoleFixture;
let administrator: HttpsClient;
let reception: HttpsClient;

before(async () => {
  box = await ConsoleFixture.start();
  administrator = await box.administrator();
  reception = await box.person(administrator, 'rita', 'reception');
});

after(async () => box.stop());

function assertError({ status, json }: Answer, code: ErrorCode, message: RegExp): void {
  const { remedy } = errorTable[code];
  const answer = json as ErrorAnswer;
  assert.deepEqual(
    { status, code: answer.code, remedy: answer.remedy },
    { status: errorTable[code].http, code, remedy },
  );
  assert.match(answer.message, message);
}

test('certificate and accounts stay the same over a restart, and sessions go on', async () => {
  const store = new MemoryStore();
  const before = await ConsoleFixture.start({ store });
  const { certificateSha256, port } = before.server;
  const cookie = await before.administrator().then((client) => client.cookie);
  await before.stop();

  const again = await ConsoleFixture.start({ store, port });
  try {
    assert.equal(again.server.certificateSha256, certificateSha256);
    assert.equal(again.first, undefined);
    const client = again.client();
    client.cookie = cookie;
    assert.equal((await client.call('GET', '/api/v1/overview')).status, 200);
  } finally {
    await again.stop();
  }
});

test('TLS below 1.2 is refused', async () => {
  const handshake = async (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
    new Promise<string>((resolve, reject) => {
      const socket = connect({
        port: box.server.port,
        minVersion: version,
        maxVersion: version,
        ciphers: 'DEFAULT@SECLEVEL=0',
        rejectUnauthorized: false,
      });
      socket.on('secureConnect', () => {
        resolve(socket.getProtocol() ?? '');
        socket.destroy();
      });
      socket.on('error', reject);
    });
  assert.equal(await handshake('TLSv1.3'), 'TLSv1.3');
  assert.equal(await handshake('TLSv1.2'), 'TLSv1.2');
  await assert.rejects(handshake('TLSv1.1'), /protocol version/);
});

test('a port in use, and pages that were not built, are named', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  await assert.rejects(ConsoleFixture.start({ port }), {
    code: 'PORT_IN_USE',
    message: new RegExp(String(port)),
  });
  await new Promise((resolve) => other.close(resolve));

  const empty = await mkdtemp(join(tmpdir(), 'hilum-pages-'));
  await assert.rejects(ConsoleFixture.start({ consoleDistDir: empty }), { code: 'CONSOLE_NOT_BUILT' });
  await rm(empty, { recursive: true });
  await assert.rejects(ConsoleFixture.start({ consoleDistDir: empty }), { code: 'CONSOLE_NOT_BUILT' });
});

test('every answer carries the security headers', async () => {
  for (const path of ['/', '/healthz', '/api/v1/overview', '/nowhere', '/wallet/v1/ledger/head']) {
    const { headers } = await administrator.call('GET', path);
    assert.match(
      headers['content-security-policy'] as string,
      /^default-src 'none'; script-src 'self'/,
      path,
    );
    assert.ok(!/unsafe|data:|\*/.test(headers['content-security-policy'] as string));
    assert.equal(headers['x-content-type-options'], 'nosniff', path);
    assert.equal(headers['x-frame-options'], 'DENY', path);
    assert.equal(headers['referrer-policy'], 'no-referrer', path);
    assert.equal(headers['cache-control'], path === '/' ? 'no-cache' : 'no-store', path);
  }
  const page = await administrator.call('GET', '/');
  const cached = await administrator.call('GET', '/', {
    headers: { 'if-none-match': page.headers.etag ?? '' },
  });
  assert.equal(cached.status, 304);
});

test('a body must be exactly what the route says, and the field is named', async () => {
  const post = async (call: Parameters<HttpsClient['call']>[2]) =>
    administrator.call('POST', '/api/v1/accounts', call);
  const account = { name: 'otto', role: 'clinician' };
  assertError(await post({ body: { ...account, admin: true } }), 'REQUEST_INVALID', /unknown field admin/);
  assertError(await post({ body: { name: 'otto' } }), 'REQUEST_INVALID', /lacks the field role/);
  assertError(
    await post({ body: { ...account, name: 7 } }),
    'REQUEST_INVALID',
    /field name .* must be string/,
  );
  assertError(
    await post({ body: { ...account, name: 'Otto!' } }),
    'REQUEST_INVALID',
    /field name .* wrong form/,
  );
  assertError(await post({ body: { ...account, role: 'owner' } }), 'REQUEST_INVALID', /field role/);
  assertError(await post({ body: [] }), 'REQUEST_INVALID', /body must be object/);
  assertError(await post({ raw: '{"name":' }), 'REQUEST_INVALID', /JSON/);
  assertError(await post({ raw: '{"__proto__":{"role":"x"}}' }), 'REQUEST_INVALID', /JSON/);
  assertError(
    await post({ raw: 'name=otto', headers: { 'content-type': 'text/plain' } }),
    'REQUEST_INVALID',
    /json/,
  );
  assertError(
    await post({ body: { ...account, name: 'o'.repeat(20_000) } }),
    'REQUEST_TOO_LARGE',
    /too large/,
  );
  assertError(await administrator.call('GET', '/api/v1/nowhere'), 'NOT_FOUND', /nothing here/);
  assertError(
    await administrator.call('PUT', '/api/v1/accounts', { body: account }),
    'NOT_FOUND',
    /nothing here/,
  );
});

/** What the port says to these bytes, until it ends the connection. */
async function say(text: string): Promise<string> {
  const socket = connect({ port: box.server.port, host: '127.0.0.1', rejectUnauthorized: false });
  socket.write(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

test('what is no HTTP is answered in the form of all errors', async () => {
  const cases: readonly (readonly [string, ErrorCode])[] = [
    ['NONSENSE\r\n\r\n', 'REQUEST_INVALID'],
    [`GET / HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(40_000)}\r\n\r\n`, 'REQUEST_TOO_LARGE'],
    ['GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n', 'REQUEST_INVALID'],
    ['GET /%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 'REQUEST_INVALID'],
  ];
  for (const [text, code] of cases) {
    const answer = await say(text);
    const { http, remedy } = errorTable[code];
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${http} `), answer);
    assert.match(answer, /content-security-policy: default-src 'none'/);
    const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as ErrorAnswer;
    assert.deepEqual({ code: body.code, remedy: body.remedy }, { code, remedy });
    assert.doesNotMatch(body.message, /zz|NONSENSE/);
  }
});

test('one address cannot take the place of another', async () => {
  const hold = (localAddress: string): TLSSocket => {
    const { port } = box.server;
    const socket = connectTcp({ port, host: '127.0.0.1', localAddress });
    return connect({ socket, rejectUnauthorized: false });
  };
  const settled = async (socket: TLSSocket): Promise<'open' | 'cut'> =>
    new Promise((resolve) => {
      socket.once('secureConnect', () => resolve('open'));
      socket.once('error', () => resolve('cut'));
      socket.once('close', () => resolve('cut'));
    });
  const greedy = Array.from({ length: connectionsPerAddressMax }, () => hold('127.0.0.2'));
  assert.ok((await Promise.all(greedy.map(settled))).every((state) => state === 'open'));
  const another = hold('127.0.0.2');
  assert.equal(await settled(another), 'cut');
  assert.equal((await administrator.call('GET', '/api/v1/overview')).status, 200);
  // Who leaves makes room.
  const [first] = greedy as [TLSSocket];
  first.on('error', () => undefined).destroy();
  for (let state = 'cut'; state === 'cut';) {
    const next = hold('127.0.0.2');
    greedy.push(next);
    state = await settled(next);
  }
  for (const socket of [...greedy, another]) socket.on('error', () => undefined).destroy();
});

test('reception gets the wallet’s ticket, or the reason why there is none', async () => {
  const patient = { patientId: 'PX-1', name: 'Canary^Winifred', birthDate: '19800203', sex: 'F' };
  const made = await reception.call('POST', '/api/v1/tickets', { body: patient });
  assert.equal(made.status, 201);
  const { payload, code } = made.json as TicketAnswer;
  assert.deepEqual(JSON.parse(payload), {
    v: 1,
    institution: 'north',
    origin: 'https://127.0.0.1:4003',
    certificateSha256: box.server.certificateSha256,
    ticket: code,
    nonce: '07'.repeat(16),
    genesis: '09'.repeat(32),
    checkpoint: { epoch: 3, height: 25_920, digest: '08'.repeat(32) },
  });
  assert.deepEqual(box.box.tickets, [{ patient, by: 'rita' }]);
  const refused = await reception.call('POST', '/api/v1/tickets', {
    body: { ...patient, patientId: 'UNKNOWN' },
  });
  assertError(refused, 'TICKET_REFUSED', /contradict/);
  const wrong = [
    { birthDate: '1980-02-03' },
    { birthDate: '19801303' },
    { sex: 'X' },
    { name: 'A\\B' },
    { patientId: 'PX\u00001' },
    { patientId: '' },
  ];
  for (const part of wrong) {
    const answer = await reception.call('POST', '/api/v1/tickets', { body: { ...patient, ...part } });
    assertError(answer, 'REQUEST_INVALID', new RegExp(Object.keys(part)[0] as string));
  }
});

test('the overview is bounded, whatever the box holds', async () => {
  const now = Date.now();
  box.box.change({
    studies: Array.from({ length: overviewStudiesMax + 50 }, (_, i) =>
      exampleStudy(now, { studyInstanceUid: `1.${i}` }),
    ),
  });
  const { json } = await administrator.call('GET', '/api/v1/overview');
  const { studies } = json as { studies: { studyInstanceUid: string }[] };
  assert.equal(studies.length, overviewStudiesMax);
  assert.equal(studies[0]?.studyInstanceUid, '1.0');
});

test('what fails inside the box is answered without its words, and logged by its place', async () => {
  box.box.failure = new TypeError('cannot read Canary^Winifred');
  const answer = await administrator.call('GET', '/api/v1/overview');
  box.box.failure = undefined;
  assertError(answer, 'INTERNAL', /inside the box/);
  const line = box.logger.lines.findLast((each) => each.startsWith('error')) ?? '';
  assert.match(line, /TypeError/);
  assert.match(line, /http-server\.test\.ts/);
  assert.ok(!(answer.text + line).includes('Canary'));
});

test('no line of the log holds what patients or passwords are called', () => {
  const log = box.logger.lines.join('\n');
  assert.match(log, /binding ticket created/);
  for (const secret of ['Canary', 'Winifred', 'PX-', '19800203', box.first?.oneTimePassword ?? 'none']) {
    assert.ok(!log.includes(secret), secret);
  }
});
