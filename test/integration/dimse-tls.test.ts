/** DICOM over TLS with mutual authentication: our two sides, dcmtk's in both directions, and what must be refused. */
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import {
  type AdmissionRequest,
  type Association,
  type AssociationOptions,
  type DicomServer,
  limits,
  openAssociation,
  type TlsCredentials,
  uids,
} from '../../firmware/dimse/index.ts';
import { permissions } from '../../firmware/src/access/permissions.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { realClock } from '../fakes/real-clock.ts';
import { CertificateAuthority, type IssuedCertificate } from '../support/certificate-authority.ts';
import { ctImageStorage, MemoryStore, settle } from '../support/dimse-peer.ts';
import { running, started } from '../support/dimse-scp-fixture.ts';
import {
  filesBelow,
  inPieces,
  pydicomFiles,
  readDicomFile,
  runTool,
  startStorescp,
  temporaryFolder,
} from '../support/dimse-tools.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { until } from '../support/until.ts';

const options = { timeout: 60_000 };

let authority: CertificateAuthority;
let stranger: CertificateAuthority;
let box: IssuedCertificate;
let modality: IssuedCertificate;
let folder = '';

before(async () => {
  folder = await temporaryFolder();
  [authority, stranger] = await Promise.all([
    CertificateAuthority.make(),
    CertificateAuthority.make({ commonName: 'Stranger' }),
  ]);
  box = await authority.issue({ commonName: 'box' });
  modality = await authority.issue({ commonName: 'ct-1' });
  await writeFile(join(folder, 'ca.pem'), authority.certificate);
  await writeFile(join(folder, 'modality.pem'), modality.certificate);
  await writeFile(join(folder, 'modality.key'), modality.key);
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

const credentials = (of: IssuedCertificate, ...ca: readonly CertificateAuthority[]): TlsCredentials => ({
  ...of,
  ca: (ca.length === 0 ? [authority] : ca).map(({ certificate }) => certificate),
});

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A box with a plain and a TLS port. */
async function startedWithTls(
  store: MemoryStore,
  change: Parameters<typeof started>[1] = {},
): Promise<DicomServer & { readonly tlsPort: number }> {
  const server = await started(store, { tlsPort: 0, ...change });
  await server.useTls(credentials(box));
  assert(server.tlsPort !== undefined);
  return server as DicomServer & { readonly tlsPort: number };
}

async function opened(port: number, change: Partial<AssociationOptions> = {}): Promise<Association> {
  const association = await openAssociation({
    host: '127.0.0.1',
    port,
    callingAeTitle: 'MODALITY',
    calledAeTitle: 'HILUM',
    contexts: [
      { abstractSyntax: ctImageStorage, transferSyntaxes: [uids.explicitVrLittleEndian] },
      { abstractSyntax: uids.verificationSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
    ],
    clock: realClock,
    tls: { credentials: credentials(modality), checkName: true },
    ...change,
  });
  running.push({ stop: () => association.abort() });
  return association;
}

const refused = (error: unknown): boolean => {
  assert(error instanceof AppError, String(error));
  assert.equal(error.code, 'DELIVERY_FAILED');
  return true;
};

/** A bare TLS client. Resolves with why the connection ended; with TLS 1.3 a server refuses after the client is done. */
async function refusalOf(port: number, change: ConnectionOptions): Promise<string> {
  const socket = connect({
    host: '127.0.0.1',
    port,
    ca: authority.certificate,
    cert: modality.certificate,
    key: modality.key,
    ...change,
  });
  running.push({ stop: () => socket.destroy() });
  let reason = 'closed';
  socket.on('error', (error: NodeJS.ErrnoException) => {
    reason = error.code ?? error.message;
  });
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));
  return reason;
}

test(
  'plain and TLS stand side by side; who comes over TLS is known by its certificate',
  options,
  async () => {
    const store = new MemoryStore();
    const requests: AdmissionRequest[] = [];
    const server = await startedWithTls(store, {
      admit: (request) => {
        requests.push(request);
        return { may: new Set(permissions) };
      },
    });
    const data = Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * 31) & 0xff);
    const object = {
      sopClassUid: ctImageStorage,
      sopInstanceUid: '1.2.3',
      transferSyntaxUid: uids.explicitVrLittleEndian,
    };
    const secure = await opened(server.tlsPort);
    assert.deepEqual(await secure.store(object, inPieces(data, 50_000)), { status: 0 });
    await secure.release();
    const open = await openAssociation({
      host: '127.0.0.1',
      port: server.port,
      callingAeTitle: 'MODALITY',
      calledAeTitle: 'HILUM',
      clock: realClock,
      contexts: [{ abstractSyntax: ctImageStorage, transferSyntaxes: [uids.explicitVrLittleEndian] }],
    });
    assert.deepEqual(await open.store(object, inPieces(data, 50_000)), { status: 0 });
    await open.release();
    assert.deepEqual(
      store.kept.map(({ bytes }) => sha256(bytes)),
      [sha256(data), sha256(data)],
    );
    const certificate = { sha256: sha256(new X509Certificate(modality.certificate).raw), commonName: 'ct-1' };
    assert.deepEqual(
      requests.map((request) => request.certificate),
      [certificate, undefined],
    );
    assert.deepEqual(
      store.kept.map(({ request }) => request.certificate),
      [certificate, undefined],
    );
  },
);

test(
  'without a certificate of the authorities there is no association, and the log says why',
  options,
  async () => {
    const logger = new RecordingLogger();
    const { tlsPort } = await startedWithTls(new MemoryStore(), { logger });
    assert.match(await refusalOf(tlsPort, { cert: undefined, key: undefined }), /CERTIFICATE_REQUIRED/);
    const foreign = await stranger.issue({ commonName: 'ct-1' });
    const { certificate: cert, key } = foreign;
    assert.equal(await refusalOf(tlsPort, { cert, key }), 'closed');
    const expired = await authority.issue({ commonName: 'ct-1', validUntil: Date.now() - 1000 });
    await refusalOf(tlsPort, { cert: expired.certificate, key: expired.key });
    await assert.rejects(
      opened(tlsPort, { tls: { credentials: credentials(foreign), checkName: true } }),
      refused,
    );
    const lines = logger.lines.filter((line) => line.includes('a TLS handshake failed'));
    const reasons = [/DID_NOT_RETURN_A_CERTIFICATE/, /UNABLE_TO_/, /CERT_HAS_EXPIRED/, /UNABLE_TO_/];
    assert.equal(lines.length, reasons.length);
    for (const [index, reason] of reasons.entries()) assert.match(lines[index] ?? '', reason);
  },
);

test('nothing older than TLS 1.2, and no weaker suite than the profile has', options, async () => {
  const { tlsPort } = await startedWithTls(new MemoryStore());
  assert.match(
    await refusalOf(tlsPort, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/,
  );
  assert.match(
    await refusalOf(tlsPort, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-SHA384:AES128-SHA256' }),
    /HANDSHAKE_FAILURE/,
  );
  const agreed = async (change: ConnectionOptions): Promise<string> => {
    const socket: TLSSocket = connect({
      host: '127.0.0.1',
      port: tlsPort,
      ca: authority.certificate,
      cert: modality.certificate,
      key: modality.key,
      ...change,
    });
    running.push({ stop: () => socket.destroy() });
    await once(socket, 'secureConnect');
    return `${socket.getProtocol()} ${socket.getCipher().standardName}`;
  };
  assert.equal(await agreed({}), 'TLSv1.3 TLS_AES_256_GCM_SHA384');
  assert.equal(await agreed({ maxVersion: 'TLSv1.2' }), 'TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384');
  assert.equal(
    await agreed({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }),
    'TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
  );
});

test(
  'the requestor trusts the configured authorities only, and the name where it is to be checked',
  options,
  async () => {
    const server = await startedWithTls(new MemoryStore());
    const { tlsPort } = server;
    await assert.rejects(
      opened(tlsPort, { tls: { credentials: credentials(modality, stranger), checkName: true } }),
      (error) => refused(error) && /certificate/.test((error as Error).message),
    );
    const elsewhere = { host: '127.0.0.2' };
    const named = await startedWithTls(new MemoryStore(), { host: '127.0.0.2' });
    await assert.rejects(opened(named.tlsPort, elsewhere), /IP: 127\.0\.0\.2 is not in the cert/);
    const tls = { credentials: credentials(modality), checkName: false };
    assert.deepEqual(await (await opened(named.tlsPort, { ...elsewhere, tls })).echo(), { status: 0 });
  },
);

test('new certificates count for new connections; those that stand go on', options, async () => {
  const server = await startedWithTls(new MemoryStore());
  const { tlsPort } = server;
  const before = await opened(tlsPort);
  const renewed = await stranger.issue({ commonName: 'box' });
  await server.useTls(credentials(renewed, stranger));
  assert.equal(server.tlsPort, tlsPort);
  assert.deepEqual(await before.echo(), { status: 0 });
  await assert.rejects(opened(tlsPort), refused);
  const fresh = await stranger.issue({ commonName: 'ct-1' });
  const after = await opened(tlsPort, {
    tls: { credentials: credentials(fresh, stranger), checkName: true },
  });
  assert.deepEqual(await after.echo(), { status: 0 });
  await assert.rejects(server.useTls({ ...credentials(renewed, stranger), key: 'no key' }));
  assert.deepEqual(await after.echo(), { status: 0 });
  const still = await opened(tlsPort, {
    tls: { credentials: credentials(fresh, stranger), checkName: true },
  });
  assert.deepEqual(await still.echo(), { status: 0 });
});

for (const [who, said, told] of [
  ['that nobody begins', [], /ended within its TLS handshake/],
  ['that begin and stop', [0x16], /ERR_TLS_HANDSHAKE_TIMEOUT/],
] as const) {
  test(
    `handshakes ${who} are bounded in number and time, and do not keep a modality out`,
    options,
    async () => {
      const logger = new RecordingLogger();
      const { tlsPort } = await startedWithTls(new MemoryStore(), {
        logger,
        limits: { tlsHandshakesMax: 3, tlsHandshakeMsMax: 300 },
      });
      const idle = Array.from({ length: 5 }, () => connectPlain({ host: '127.0.0.1', port: tlsPort }));
      const ends = idle.map((socket) => {
        running.push({ stop: () => socket.destroy() });
        socket.resume();
        // A reset is one of the ways in which it ends.
        socket.on('error', (error) => assert.match(error.message, /ECONNRESET/));
        socket.write(Uint8Array.from(said));
        return new Promise((resolve) => socket.once('close', resolve));
      });
      await Promise.all(ends.slice(0, 2));
      assert.deepEqual(await (await opened(tlsPort)).echo(), { status: 0 });
      await Promise.all(ends);
      await until(() => told.test(logger.lines.join('\n')), 'a line in the log');
    },
  );
}

test(
  'handshakes of one address are made one after the other, and nobody elsewhere waits for them',
  options,
  async () => {
    const clock = new ManualClock();
    const server = await startedWithTls(new MemoryStore(), { clock });
    const handshake = (localAddress: string): TLSSocket => {
      const socket = connect({
        socket: connectPlain({ host: '127.0.0.1', port: server.tlsPort, localAddress }),
        cert: modality.certificate,
        key: modality.key,
        ca: authority.certificate,
        checkServerIdentity: () => undefined,
      });
      running.push({ stop: () => socket.destroy() });
      return socket;
    };
    await once(handshake('127.0.0.1'), 'secureConnect');
    let isMade = false;
    const second = once(handshake('127.0.0.1'), 'secureConnect').then(() => {
      isMade = true;
    });
    await once(handshake('127.0.0.2'), 'secureConnect');
    await settle();
    assert.equal(isMade, false);
    clock.advance(limits.turnMs);
    await second;
  },
);

test('stopping closes what is in its handshake too', options, async () => {
  const server = await startedWithTls(new MemoryStore());
  const idle = connectPlain({ host: '127.0.0.1', port: server.tlsPort });
  idle.resume();
  await once(idle, 'connect');
  await opened(server.tlsPort);
  await settle();
  await server.stop();
  assert.equal(server.associations, 0);
  idle.destroy();
});

/** dcmtk's side. */
const tool = (): string[] => [
  '+tls',
  join(folder, 'modality.key'),
  join(folder, 'modality.pem'),
  '+cf',
  join(folder, 'ca.pem'),
];

test('dcmtk to us: echo and store, by its BCP 195 profiles and with TLS 1.2', options, async () => {
  const store = new MemoryStore();
  const { tlsPort, port } = await startedWithTls(store);
  const peer = ['-aec', 'HILUM', '127.0.0.1', String(tlsPort)];
  for (const profile of ['+py', '+px', '+pz']) {
    const { code, output } = await runTool('echoscu', [...tool(), profile, '-v', ...peer]);
    assert.equal(code, 0, output);
  }
  const path = join(pydicomFiles, 'CT_small.dcm');
  const open = ['-aec', 'HILUM', '127.0.0.1', String(port)];
  // storescu writes the data set anew: what comes over TLS must be what comes without.
  for (const args of [[...tool(), ...peer], open]) {
    const { code, output } = await runTool('storescu', [...args, path]);
    assert.equal(code, 0, output);
  }
  const [secure, unsecured] = store.kept;
  assert(secure !== undefined && unsecured !== undefined);
  assert(secure.bytes.length > 30_000);
  assert.equal(sha256(secure.bytes), sha256(unsecured.bytes));
  const anonymous = await runTool('echoscu', ['+tla', '-ic', ...peer]);
  assert.notEqual(anonymous.code, 0);
  const plain = await runTool('echoscu', ['-to', '5', '-ta', '5', ...peer]);
  assert.notEqual(plain.code, 0);
  assert.equal((await runTool('echoscu', open)).code, 0);
});

test('we to dcmtk: store over TLS, and its authority is checked', options, async () => {
  const scp = await startStorescp([
    '+tls',
    join(folder, 'modality.key'),
    join(folder, 'modality.pem'),
    '+cf',
    join(folder, 'ca.pem'),
  ]);
  running.push(scp);
  const path = join(pydicomFiles, 'CT_small.dcm');
  const file = await readDicomFile(path);
  assert(file.kind === 'object');
  const tls = { credentials: credentials(box), checkName: true };
  const association = await opened(scp.port, { calledAeTitle: 'STORESCP', tls });
  assert.deepEqual(await association.store(file, inPieces(file.dataSet, 4096)), { status: 0 });
  await association.release();
  const [received] = await filesBelow(scp.folder);
  assert(received !== undefined);
  const kept = await readDicomFile(received);
  assert(kept.kind === 'object');
  assert.equal(sha256(kept.dataSet), sha256(file.dataSet));
  await assert.rejects(
    opened(scp.port, { tls: { credentials: credentials(box, stranger), checkName: true } }),
    refused,
  );
  await assert.rejects(
    opened(scp.port, { tls: { credentials: credentials(await stranger.issue()), checkName: true } }),
    refused,
  );
});
