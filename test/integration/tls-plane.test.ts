import assert from 'node:assert/strict';
import {
  connect as connectTcp,
  createServer as createTcpServer,
  type AddressInfo,
  type Socket,
} from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { AppError, type ErrorCode } from '../../firmware/src/errors.ts';
import type { Institution } from '../../firmware/src/ledger/types.ts';
import { makeTransportCertificate } from '../../firmware/src/p2p/certificate.ts';
import {
  planeConnectionsMax,
  planeConnectionsPerMemberMax,
  planeFrameBytesMax,
  planeHandshakesMax,
  planeRequestBytesMax,
} from '../../firmware/src/p2p/limits.ts';
import { planeTlsOptions, provenTransportKey } from '../../firmware/src/p2p/plane-handshake.ts';
import { TlsPlane } from '../../firmware/src/p2p/tls-plane.ts';
import { institutionOf, MemberSet, seedOf, silentLogger } from '../fakes/consortium.ts';
import { realClock } from '../fakes/real-clock.ts';

const chain = new Uint8Array(32).fill(7);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const hasCode = (code: ErrorCode) => (error: unknown) => error instanceof AppError && error.code === code;

function planeOf(id: string, members: MemberSet, seed = seedOf(id)): TlsPlane {
  return new TlsPlane({
    self: id,
    chain,
    transportSeed: () => seed,
    listen: { host: '127.0.0.1', port: 0 },
    members: members.members,
    onMembersChange: members.onMembersChange,
    clock: realClock,
    logger: silentLogger,
  });
}

async function collect(frames: AsyncIterable<Uint8Array>): Promise<string[]> {
  const all: string[] = [];
  for await (const frame of frames) all.push(new TextDecoder().decode(frame));
  return all;
}
async function* framesOf(...texts: string[]): AsyncIterable<Uint8Array> {
  for (const text of texts) yield bytes(text);
}

/** Waits until the connection is gone. */
const gone = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.on('error', () => undefined);
    socket.once('close', () => resolve());
    socket.resume();
  });

describe('TLS plane', { timeout: 60_000 }, () => {
  let members: MemberSet;
  let source: TlsPlane;
  let grantee: TlsPlane;
  let sourceMember: Institution;

  beforeEach(async () => {
    members = new MemberSet([institutionOf('alder'), institutionOf('birch')]);
    source = planeOf('alder', members);
    grantee = planeOf('birch', members);
    await source.start();
    await grantee.start();
    sourceMember = institutionOf('alder', { plane: source.address() });
    members.replace([sourceMember, institutionOf('birch', { plane: grantee.address() })]);
  });

  afterEach(async () => {
    await grantee.stop();
    await source.stop();
  });

  it('streams frames to a member, whose name and exporter the source knows', async () => {
    const seen: { institution: string; exporter: Uint8Array; body: Uint8Array }[] = [];
    source.serve((request) => {
      seen.push(request);
      return Promise.resolve(framesOf('one', 'two', 'three'));
    });
    const connection = await grantee.open(sourceMember);
    assert.deepEqual(await collect(connection.request(bytes('please'))), ['one', 'two', 'three']);
    assert.equal(seen.length, 1);
    assert.equal(seen[0]?.institution, 'birch');
    assert.deepEqual(Buffer.from(seen[0]?.body ?? []), Buffer.from('please'));
    assert.deepEqual(Buffer.from(seen[0]?.exporter ?? []), Buffer.from(connection.exporter));
    assert.equal(connection.exporter.length, 32);
  });

  it('carries frames of the greatest size unchanged', async () => {
    const great = Buffer.alloc(planeFrameBytesMax);
    for (let i = 0; i < great.length; i += 997) great[i] = i & 0xff;
    source.serve(async () =>
      (async function* () {
        for (let i = 0; i < 5; i++) yield great;
      })(),
    );
    let frames = 0;
    for await (const frame of (await grantee.open(sourceMember)).request(bytes('please'))) {
      assert.ok(great.equals(frame));
      frames++;
    }
    assert.equal(frames, 5);
  });

  it('gives every connection an exporter of its own, so a relayed request shows', async () => {
    const exporters: string[] = [];
    source.serve((request) => {
      exporters.push(Buffer.from(request.exporter).toString('hex'));
      return Promise.resolve(framesOf('ok'));
    });
    const first = await grantee.open(sourceMember);
    const second = await grantee.open(sourceMember);
    // The request that was made for the first connection is sent over the second: what binds it does not fit there.
    const bound = Buffer.from(first.exporter).toString('hex');
    await collect(second.request(bytes(bound)));
    first.close();
    assert.equal(exporters.length, 1);
    assert.notEqual(exporters[0], bound);
  });

  it('answers a refusal as NOT_RELEASED', async () => {
    source.serve(() => Promise.resolve(undefined));
    const connection = await grantee.open(sourceMember);
    await assert.rejects(collect(connection.request(bytes('please'))), hasCode('NOT_RELEASED'));
  });

  it('cuts a stranger whose TLS is in order, before it can say anything', async () => {
    let asked = 0;
    source.serve(() => {
      asked++;
      return Promise.resolve(framesOf('never'));
    });
    // The stranger knows everything but a member's key.
    const stranger = planeOf('cedar', members, seedOf('cedar'));
    await stranger.start();
    await assert.rejects(
      stranger.open(sourceMember).then((connection) => collect(connection.request(bytes('please')))),
      hasCode('PEER_UNREACHABLE'),
    );
    await stranger.stop();
    assert.equal(asked, 0);
  });

  it('refuses a server that does not hold the key of the member', async () => {
    const impostor = planeOf('alder', members, seedOf('cedar'));
    let asked = 0;
    impostor.serve(() => {
      asked++;
      return Promise.resolve(framesOf('never'));
    });
    await impostor.start();
    const misled = { ...sourceMember, endpoints: { ...sourceMember.endpoints, plane: impostor.address() } };
    await assert.rejects(grantee.open(misled), hasCode('NOT_A_MEMBER'));
    await assert.rejects(grantee.open(institutionOf('cedar')), hasCode('NOT_A_MEMBER'));
    await impostor.stop();
    assert.equal(asked, 0);
  });

  it('refuses clients without a certificate and TLS below 1.3', async () => {
    const [host, port] = source.address().split(':') as [string, string];
    const bare = { host, port: Number(port), rejectUnauthorized: false };
    await closed(connect({ ...bare, ALPNProtocols: ['hilum-plane/1'] }));
    const certificate = await makeTransportCertificate(seedOf('birch'));
    await closed(
      connect({ ...bare, ...planeTlsOptions(certificate), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }),
    );
    await closed(connect({ ...bare, ...planeTlsOptions(certificate), ALPNProtocols: ['http/1.1'] }));
  });

  it('never resumes a session, and takes a resumed one for no proof', async () => {
    const certificate = await makeTransportCertificate(seedOf('birch'));
    const proof = async (
      port: number,
      session?: Buffer,
    ): Promise<{ proven: boolean; reused: boolean; ticket: Buffer | undefined }> => {
      const socket = connect({
        host: '127.0.0.1',
        port,
        ...planeTlsOptions(certificate),
        secureOptions: 0,
        ...(session === undefined ? {} : { session }),
      });
      socket.on('error', () => undefined);
      let ticket: Buffer | undefined;
      socket.on('session', (data) => {
        ticket = data;
      });
      await new Promise((resolve) => socket.once('secureConnect', resolve));
      const outcome = { proven: provenTransportKey(socket) !== undefined, reused: socket.isSessionReused() };
      await new Promise((resolve) => setTimeout(resolve, 50));
      socket.destroy();
      return { ...outcome, ticket };
    };
    const planePort = Number(source.address().split(':')[1]);
    const first = await proof(planePort);
    const again = await proof(planePort, first.ticket);
    assert.deepEqual([first.proven, again.proven, again.reused], [true, true, false]);

    // A server with tickets on, as a rogue member could run it, and our own check on both of its ends.
    const serverProofs: boolean[] = [];
    const lax = createServer({ ...planeTlsOptions(certificate), secureOptions: 0 }, (socket: TLSSocket) => {
      serverProofs.push(provenTransportKey(socket) !== undefined);
      void closed(socket);
    });
    await new Promise<void>((resolve) => lax.listen(0, '127.0.0.1', resolve));
    const { port } = lax.address() as AddressInfo;
    const fresh = await proof(port);
    assert.ok(fresh.ticket, 'the lax server hands out tickets');
    const resumed = await proof(port, fresh.ticket);
    assert.deepEqual([resumed.reused, resumed.proven], [true, false]);
    assert.deepEqual(serverProofs, [true, false]);
    await new Promise((resolve) => lax.close(resolve));
  });

  it('cuts a removed member in the middle of its stream, at both ends', async () => {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    source.serve(async ({ signal }) => {
      await Promise.resolve();
      signal.addEventListener('abort', () => end());
      return (async function* () {
        for (;;) {
          yield new Uint8Array(65_536);
          await realClock.sleep(1);
        }
      })();
    });
    const connection = await grantee.open(sourceMember);
    let frames = 0;
    await assert.rejects(async () => {
      for await (const _frame of connection.request(bytes('please'))) {
        frames++;
        if (frames === 3) members.remove('birch');
      }
    }, hasCode('PEER_UNREACHABLE'));
    assert.ok(frames >= 3);
    await ended;
    await assert.rejects(
      grantee.open(sourceMember).then((again) => collect(again.request(bytes('please')))),
      hasCode('PEER_UNREACHABLE'),
    );
    members.remove('alder');
    await assert.rejects(grantee.open(sourceMember), hasCode('NOT_A_MEMBER'));
  });

  it('cuts at once when the source says so: what is buffered never arrives', async () => {
    const { promise: cutNow, resolve: cutIt } = Promise.withResolvers<void>();
    source.serve((request) => {
      void cutNow.then(request.cut);
      return Promise.resolve(
        (async function* () {
          for (;;) yield await Promise.resolve(new Uint8Array(1_048_576));
        })(),
      );
    });
    const connection = await grantee.open(sourceMember);
    const frames = connection.request(bytes('please'))[Symbol.asyncIterator]();
    await frames.next();
    // The grantee stalls; the source fills every buffer and is then cut.
    await realClock.sleep(200);
    cutIt();
    await realClock.sleep(50);
    await assert.rejects(
      async () => {
        while (!(await frames.next()).done);
      },
      // A reset, not an orderly end: what the system of the source still held was thrown away.
      (error: AppError) =>
        hasCode('PEER_UNREACHABLE')(error) && (error.cause as NodeJS.ErrnoException).code === 'ECONNRESET',
    );
  });

  it('notices truncation: a stream that fails at the source is not taken for complete', async () => {
    source.serve(() =>
      Promise.resolve(
        (async function* () {
          yield bytes('one');
          await Promise.resolve();
          throw new AppError('STORE_FAILED', 'the disk is gone');
        })(),
      ),
    );
    const connection = await grantee.open(sourceMember);
    const received: Uint8Array[] = [];
    await assert.rejects(async () => {
      for await (const frame of connection.request(bytes('please'))) received.push(frame);
    }, hasCode('PEER_UNREACHABLE'));
    assert.ok(received.length <= 1);
  });

  it('notices truncation on the way: an orderly end of TCP is not the end of the stream', async () => {
    source.serve(({ signal }) =>
      Promise.resolve(
        (async function* () {
          yield bytes('one');
          await gone(signal);
        })(),
      ),
    );
    const [host, port] = source.address().split(':') as [string, string];
    const middle = createTcpServer((inward) => {
      const outward = connectTcp(Number(port), host);
      inward.pipe(outward).on('error', () => inward.destroy());
      outward.pipe(inward).on('error', () => outward.destroy());
      setTimeout(() => {
        inward.end(() => inward.destroy());
        outward.destroy();
      }, 150);
    });
    await new Promise<void>((resolve) => middle.listen(0, '127.0.0.1', resolve));
    const { port: middlePort } = middle.address() as AddressInfo;
    const detour = {
      ...sourceMember,
      endpoints: { ...sourceMember.endpoints, plane: `127.0.0.1:${middlePort}` },
    };
    const connection = await grantee.open(detour);
    await assert.rejects(collect(connection.request(bytes('please'))), hasCode('PEER_UNREACHABLE'));
    await new Promise((resolve) => middle.close(resolve));
  });

  it('holds the source back when the grantee reads slowly', async () => {
    let produced = 0;
    source.serve(() =>
      Promise.resolve(
        (async function* () {
          for (; produced < 100; produced++) yield await Promise.resolve(new Uint8Array(1_048_576));
        })(),
      ),
    );
    const frames = (await grantee.open(sourceMember)).request(bytes('please'))[Symbol.asyncIterator]();
    await frames.next();
    await realClock.sleep(300);
    assert.ok(produced < 50, `${produced} MiB were produced for one that was read`);
    let read = 1;
    while (!(await frames.next()).done) read++;
    assert.equal(read, 100);
  });

  it('refuses a frame and a request over their limits', async () => {
    source.serve(() => Promise.resolve(framesOf('never')));
    const connection = await grantee.open(sourceMember);
    assert.throws(() => connection.request(new Uint8Array(planeRequestBytesMax + 1)), RangeError);
    connection.close();
    const [host, port] = source.address().split(':') as [string, string];
    const certificate = await makeTransportCertificate(seedOf('birch'));
    const raw = connect({ host, port: Number(port), ...planeTlsOptions(certificate) });
    raw.on('secureConnect', () => raw.write(Buffer.from([0x00, 0x10, 0x00, 0x01])));
    await closed(raw);
  });

  it('cuts a client that goes on talking after its request', async () => {
    source.serve(({ signal }) => gone(signal));
    const [host, port] = source.address().split(':') as [string, string];
    const certificate = await makeTransportCertificate(seedOf('birch'));
    const raw = connect({ host, port: Number(port), ...planeTlsOptions(certificate) });
    raw.on('secureConnect', () => raw.write(Buffer.from([0, 0, 0, 1, 42, 0])));
    await closed(raw);
  });

  it('bounds the connections of one member', async () => {
    source.serve(() => Promise.resolve(framesOf('ok')));
    const open = await Promise.all(
      Array.from({ length: planeConnectionsPerMemberMax }, () => grantee.open(sourceMember)),
    );
    await assert.rejects(
      grantee.open(sourceMember).then((connection) => collect(connection.request(bytes('one too many')))),
      hasCode('PEER_UNREACHABLE'),
    );
    for (const connection of open)
      assert.deepEqual(await collect(connection.request(bytes('please'))), ['ok']);
  });

  it('lets a member in through a crowd of strangers who never prove a key', async () => {
    source.serve(() => Promise.resolve(framesOf('ok')));
    const [host, port] = source.address().split(':') as [string, string];
    const strangers = Array.from({ length: planeConnectionsMax + planeHandshakesMax }, () =>
      connectTcp(Number(port), host),
    );
    for (const socket of strangers) socket.on('error', () => undefined);
    await Promise.all(
      strangers.map((socket) => new Promise<void>((resolve) => socket.once('connect', resolve))),
    );
    const connection = await grantee.open(sourceMember);
    assert.deepEqual(await collect(connection.request(bytes('please'))), ['ok']);
    for (const socket of strangers) socket.destroy();
  });

  it('follows the signal of the caller', async () => {
    source.serve(({ signal }) => gone(signal));
    const caller = new AbortController();
    const connection = await grantee.open(sourceMember, caller.signal);
    const answer = collect(connection.request(bytes('please')));
    caller.abort(new Error('no longer wanted'));
    await assert.rejects(answer, /no longer wanted/);
    await assert.rejects(grantee.open(sourceMember, caller.signal), /no longer wanted/);
  });

  it('says so when its port is taken or nobody answers', async () => {
    const [host, port] = source.address().split(':') as [string, string];
    const second = new TlsPlane({
      self: 'alder',
      chain,
      transportSeed: () => seedOf('alder'),
      listen: { host, port: Number(port) },
      members: members.members,
      onMembersChange: members.onMembersChange,
      clock: realClock,
      logger: silentLogger,
    });
    await assert.rejects(
      second.start(),
      (error: unknown) => hasCode('PORT_IN_USE')(error) && String(error).includes(port),
    );
    await source.stop();
    await assert.rejects(grantee.open(sourceMember), hasCode('PEER_UNREACHABLE'));
  });
});
