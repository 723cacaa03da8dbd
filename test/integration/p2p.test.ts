import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { tls } from '@libp2p/tls';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { u32 } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { encodeFrame } from '../../firmware/src/p2p/framing.ts';
import { encodeGreeting, messagePurpose } from '../../firmware/src/p2p/greeting.ts';
import { Libp2pNetwork } from '../../firmware/src/p2p/libp2p-network.ts';
import { beatMs, messageBytesMax } from '../../firmware/src/p2p/limits.ts';
import { transportIdentity } from '../../firmware/src/p2p/member-directory.ts';
import { messageProtocol } from '../../firmware/src/p2p/peer-link.ts';
import type { Clock, Network, PeerStatus } from '../../firmware/src/ports.ts';
import { institutionOf, MemberSet, seedOf, silentLogger } from '../fakes/consortium.ts';
import type { NetworkProcessSetup } from '../fakes/network-process.ts';
import { realClock } from '../fakes/real-clock.ts';

const chain = new Uint8Array(32).fill(7);
const loopback = '/ip4/127.0.0.1/tcp/0';

/** Timers run fifty times as fast: a beat comes every 100 ms. */
const haste = 50;
const hastyClock: Clock = { ...realClock, setTimer: (ms, run) => realClock.setTimer(ms / haste, run) };

const toClose: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
});

async function startNetwork(
  id: string,
  members: MemberSet,
  {
    clock = realClock,
    listen = loopback,
    seed = seedOf(id),
  }: { clock?: Clock; listen?: string; seed?: Uint8Array } = {},
): Promise<Libp2pNetwork> {
  const network = new Libp2pNetwork({
    self: id,
    chain,
    transportSeed: seed,
    listen,
    members: members.members,
    onMembersChange: members.onMembersChange,
    clock,
    logger: silentLogger,
  });
  await network.start();
  toClose.push(() => network.stop());
  return network;
}

/** A bare libp2p host with the key of that name, which does whatever a test wants. */
async function bareHost(name: string): Promise<Libp2p> {
  const node = await createLibp2p({
    privateKey: await transportIdentity(seedOf(name)),
    addresses: { listen: [loopback] },
    transports: [tcp()],
    connectionEncrypters: [tls()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  });
  toClose.push(async () => node.stop());
  return node;
}

/** A bare host that takes message streams and greets back as it should, so that what a test adds is all that is wrong. */
async function bareMember(name: string): Promise<Libp2p> {
  const node = await bareHost(name);
  await node.handle(messageProtocol, (stream) => {
    stream.send(greetingOf(name));
  });
  return node;
}

async function whenPeer(
  network: Network,
  id: string,
  holds: (peer: PeerStatus | undefined) => boolean,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    if (holds(network.peers().find((peer) => peer.institution === id))) resolve();
  };
  const unsubscribe = network.onPeerChange(look);
  look();
  await promise;
  unsubscribe();
}

const connected = (peer: PeerStatus | undefined): boolean => peer?.connected === true;
const lost = (peer: PeerStatus | undefined): boolean => peer?.connected !== true;

/** Resolves when the other side has cut the connection. */
async function whenClosed(connection: Connection): Promise<void> {
  if (connection.status !== 'open') return;
  await new Promise((resolve) => connection.addEventListener('close', resolve, { once: true }));
}

async function whenStreamClosed(stream: Stream): Promise<void> {
  if (stream.status !== 'open') return;
  await new Promise((resolve) => stream.addEventListener('close', resolve, { once: true }));
}

const greetingOf = (institution: string, onChain = chain): Uint8Array =>
  encodeFrame(encodeGreeting({ chain: onChain, institution, purpose: messagePurpose }));

describe('libp2p network', { timeout: 60_000 }, () => {
  it('refuses a stranger in both directions and never counts it', async () => {
    const stranger = await bareHost('stranger');
    const members = new MemberSet([institutionOf('alder'), institutionOf('birch')]);
    const alder = await startNetwork('alder', members);
    const heard: string[] = [];
    alder.onMessage((from) => void heard.push(from));
    // libp2p resolves the dial before the other side refuses, so the proof is that the connection ends unused.
    const dial = stranger.dial(multiaddr(alder.multiaddr()));
    await dial.then(
      async (connection) => {
        await whenClosed(connection);
        await assert.rejects(connection.newStream(messageProtocol));
      },
      () => undefined,
    );
    assert.deepEqual(heard, []);
    assert.ok(alder.peers().every((peer) => !peer.connected && peer.institution !== 'stranger'));

    // Outward: where the endpoint of a member leads to a host without the member's key.
    let reached = 0;
    await stranger.handle(messageProtocol, () => {
      reached++;
    });
    members.replace([
      institutionOf('alder'),
      institutionOf('birch', { p2p: stranger.getMultiaddrs()[0]?.decapsulate('/p2p').toString() ?? '' }),
    ]);
    await realClock.sleep(500);
    assert.equal(reached, 0);
    assert.ok(alder.peers().every((peer) => !peer.connected));
  });

  it('refuses a member that greets for another institution or ledger', async () => {
    const members = new MemberSet([institutionOf('alder'), institutionOf('birch'), institutionOf('cedar')]);
    const alder = await startNetwork('alder', members);
    const heard: string[] = [];
    alder.onMessage((from) => void heard.push(from));
    const cedar = await bareMember('cedar');
    for (const greeting of [
      greetingOf('birch'),
      greetingOf('cedar', new Uint8Array(32)),
      encodeFrame(Uint8Array.of(1)),
    ]) {
      const connection = await cedar.dial(multiaddr(alder.multiaddr()));
      const stream = await connection.newStream(messageProtocol);
      stream.send(greeting);
      stream.send(encodeFrame(Buffer.from('smuggled')));
      await whenClosed(connection);
    }
    assert.deepEqual(heard, []);
  });

  it('disconnects a member that announces a frame over the limit, and takes what came before', async () => {
    const alder = await startNetwork(
      'alder',
      new MemberSet([institutionOf('alder'), institutionOf('cedar')]),
    );
    const heard: [string, string][] = [];
    alder.onMessage((from, message) => void heard.push([from, Buffer.from(message).toString()]));
    const cedar = await bareMember('cedar');
    const connection = await cedar.dial(multiaddr(alder.multiaddr()));
    const stream = await connection.newStream(messageProtocol);
    stream.send(greetingOf('cedar'));
    stream.send(encodeFrame(Buffer.from('in order')));
    stream.send(u32(messageBytesMax + 1));
    await whenClosed(connection);
    assert.deepEqual(heard, [['cedar', 'in order']]);
  });

  it('holds a sender back while its messages are not handled', async () => {
    const alder = await startNetwork(
      'alder',
      new MemberSet([institutionOf('alder'), institutionOf('cedar')]),
    );
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { promise: all, resolve: seeAll } = Promise.withResolvers<void>();
    const messages = 320;
    const messageBytes = 65_536;
    let handled = 0;
    alder.onMessage(async () => {
      await released;
      if (++handled === messages) seeAll();
    });
    const cedar = await bareMember('cedar');
    const connection = await cedar.dial(multiaddr(alder.multiaddr()));
    const stream = await connection.newStream(messageProtocol);
    stream.send(greetingOf('cedar'));
    for (let i = 0; i < messages; i++) stream.send(encodeFrame(new Uint8Array(messageBytes)));
    // Until nothing moves any more.
    for (let still = 0, before = -1; still < 5;) {
      await realClock.sleep(100);
      still = stream.writeBufferLength === before ? still + 1 : 0;
      before = stream.writeBufferLength;
    }
    // What has left is in the receive window of the stream and in the sockets; the rest waits at the sender.
    assert.ok(
      stream.writeBufferLength > (messages * messageBytes) / 2,
      `${stream.writeBufferLength} bytes wait`,
    );
    release();
    await all;
  });

  it('ends a stream on which nobody greets', async () => {
    const alder = await startNetwork('alder', new MemberSet([institutionOf('cedar')]), { clock: hastyClock });
    const cedar = await bareMember('cedar');
    const connection = await cedar.dial(multiaddr(alder.multiaddr()));
    await whenStreamClosed(await connection.newStream(messageProtocol));
    assert.equal(connection.status, 'open');
  });

  it('cuts the connection of a peer that has fallen silent', async () => {
    const alder = await startNetwork('alder', new MemberSet([institutionOf('cedar')]), { clock: hastyClock });
    const cedar = await bareMember('cedar');
    const connection = await cedar.dial(multiaddr(alder.multiaddr()));
    await whenPeer(alder, 'cedar', connected);
    await whenPeer(alder, 'cedar', lost);
    await whenClosed(connection);
  });

  it('keeps a peer whose handler is busy for longer than the silence that it tolerates', async () => {
    const members = new MemberSet();
    const alder = await startNetwork('alder', members, { clock: hastyClock });
    const birch = await startNetwork('birch', members, { clock: hastyClock });
    members.replace([
      institutionOf('alder', { p2p: alder.multiaddr() }),
      institutionOf('birch', { p2p: birch.multiaddr() }),
    ]);
    await whenPeer(alder, 'birch', connected);
    await whenPeer(birch, 'alder', connected);
    const { promise: handled, resolve } = Promise.withResolvers<void>();
    birch.onMessage(async () => {
      await realClock.sleep((10 * beatMs) / haste);
      resolve();
    });
    let changes = 0;
    alder.onPeerChange(() => changes++);
    birch.onPeerChange(() => changes++);
    alder.send('birch', Uint8Array.of(1));
    await handled;
    assert.equal(changes, 0);
  });

  it('connects anew with the new key when a member has changed its own', async () => {
    const members = new MemberSet();
    const alder = await startNetwork('alder', members);
    const birch = await startNetwork('birch', members);
    const alderMember = institutionOf('alder', { p2p: alder.multiaddr() });
    members.replace([alderMember, institutionOf('birch', { p2p: birch.multiaddr() })]);
    await whenPeer(alder, 'birch', connected);
    const renewed = institutionOf('birch-renewed');
    const birchAgain = await startNetwork('birch', members, { seed: seedOf('birch-renewed') });
    members.replace([
      alderMember,
      { ...renewed, id: 'birch', endpoints: { ...renewed.endpoints, p2p: birchAgain.multiaddr() } },
    ]);
    await whenPeer(birchAgain, 'alder', connected);
    await whenPeer(birch, 'alder', lost);
    const { promise, resolve } = Promise.withResolvers<string>();
    birchAgain.onMessage((from) => resolve(from));
    await whenPeer(alder, 'birch', connected);
    alder.send('birch', Uint8Array.of(1));
    assert.equal(await promise, 'alder');
  });

  it('names the address when it is taken or cannot be had', async () => {
    const members = new MemberSet();
    const alder = await startNetwork('alder', members);
    await assert.rejects(
      startNetwork('birch', members, { listen: alder.multiaddr() }),
      (error: unknown) =>
        error instanceof AppError &&
        error.code === 'PORT_IN_USE' &&
        error.message.includes(alder.multiaddr()),
    );
    await assert.rejects(
      startNetwork('birch', members, { listen: '/ip4/192.0.2.1/tcp/0' }),
      (error: unknown) => error instanceof AppError && error.code === 'CONFIG_INVALID',
    );
  });

  it('stops while it is dialling, and frees its port', async () => {
    const members = new MemberSet([institutionOf('birch', { p2p: '/ip4/192.0.2.1/tcp/4001' })]);
    const alder = await startNetwork('alder', members);
    const listen = alder.multiaddr();
    await alder.stop();
    await startNetwork('alder', members, { listen });
  });

  it('works across processes, notices a killed one, and finds it again', async () => {
    const members = new MemberSet([institutionOf('alder'), institutionOf('birch')]);
    const alder = await startNetwork('alder', members);
    const start = async (listen: string): Promise<[ChildProcess, string]> => {
      const setup: NetworkProcessSetup = {
        self: 'birch',
        listen,
        chain: Buffer.from(chain).toString('hex'),
        members: [
          ['alder', alder.multiaddr()],
          ['birch', listen],
        ],
      };
      const child = fork(new URL('../fakes/network-process.ts', import.meta.url), [JSON.stringify(setup)]);
      toClose.push(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exited = once(child, 'exit');
        child.disconnect();
        assert.deepEqual(await exited, [0, null]);
      });
      const [address] = (await once(child, 'message')) as [string];
      return [child, address];
    };
    let echo: (text: string) => void = () => undefined;
    alder.onMessage((_from, message) => echo(Buffer.from(message).toString()));
    const exchange = async (text: string): Promise<void> => {
      await whenPeer(alder, 'birch', connected);
      // The way back is a stream of its own, which may open a moment later: so the message is said again.
      const { promise, resolve } = Promise.withResolvers<void>();
      echo = (heard) => {
        if (heard === text) resolve();
      };
      const again = setInterval(() => alder.send('birch', Buffer.from(text)), 50);
      await promise;
      clearInterval(again);
      const body = new Uint8Array(1_000_000).fill(3);
      assert.ok(Buffer.from(body).equals(await alder.request('birch', '/test/echo/1', body)));
    };

    const [first, address] = await start(loopback);
    members.replace([institutionOf('alder'), institutionOf('birch', { p2p: address })]);
    await exchange('before');
    first.kill('SIGKILL');
    await whenPeer(alder, 'birch', lost);
    await start(address);
    await exchange('after');
  });
});
