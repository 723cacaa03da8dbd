import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { AppError, type ErrorCode } from '../../firmware/src/errors.ts';
import { Libp2pNetwork } from '../../firmware/src/p2p/libp2p-network.ts';
import { messageBytesMax, queueMessagesMax } from '../../firmware/src/p2p/limits.ts';
import type { Network } from '../../firmware/src/ports.ts';
import { institutionOf, MemberSet, seedOf, silentLogger } from '../fakes/consortium.ts';
import { MemoryHub } from '../fakes/network.ts';
import { realClock } from '../fakes/real-clock.ts';

/** A running consortium of networks: one suite for every implementation of the port. */
interface Harness {
  network(id: string): Network;
  /** Takes the institution out of the member set of all others. */
  remove(id: string): void;
  stop(): Promise<void>;
}

const ids = ['alder', 'birch', 'cedar'];

function memoryHarness(): Promise<Harness> {
  const hub = new MemoryHub({ clock: realClock });
  const networks = new Map(ids.map((id) => [id, hub.join(id)]));
  return Promise.resolve({
    network: (id) => networks.get(id) as Network,
    remove: (id) => hub.remove(id),
    stop: () => Promise.resolve(),
  });
}

async function libp2pHarness(): Promise<Harness> {
  const members = new MemberSet();
  const networks = new Map<string, Libp2pNetwork>();
  for (const id of ids) {
    const network = new Libp2pNetwork({
      self: id,
      chain: new Uint8Array(32).fill(7),
      transportSeed: seedOf(id),
      listen: '/ip4/127.0.0.1/tcp/0',
      members: members.members,
      onMembersChange: members.onMembersChange,
      clock: realClock,
      logger: silentLogger,
    });
    networks.set(id, network);
    await network.start();
  }
  members.replace(
    ids.map((id) => institutionOf(id, { p2p: (networks.get(id) as Libp2pNetwork).multiaddr() })),
  );
  return {
    network: (id) => networks.get(id) as Network,
    remove: (id) => members.remove(id),
    stop: async () => {
      await Promise.all([...networks.values()].map((network) => network.stop()));
    },
  };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);
const hasCode = (code: ErrorCode) => (error: unknown) => error instanceof AppError && error.code === code;

/** A handler that answers nothing until it is told to give up. */
const never = (_from: string, _body: Uint8Array, signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });

/** Resolves when the condition holds after a peer change. */
async function whenPeers(network: Network, condition: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    if (condition()) resolve();
  };
  const unsubscribe = network.onPeerChange(look);
  look();
  await promise;
  unsubscribe();
}

/** Collects messages; `until` resolves when the condition holds. */
function collect(network: Network): {
  received: [string, Uint8Array][];
  until(condition: () => boolean): Promise<void>;
} {
  const received: [string, Uint8Array][] = [];
  let look = (): void => undefined;
  network.onMessage((from, message) => {
    received.push([from, message]);
    look();
  });
  return {
    received,
    until: async (condition) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      look = () => {
        if (condition()) resolve();
      };
      look();
      await promise;
    },
  };
}

for (const [name, makeHarness] of [
  ['the in-memory network', memoryHarness],
  ['libp2p', libp2pHarness],
] as const) {
  describe(`Network port, ${name}`, { timeout: 60_000 }, () => {
    let harness: Harness;
    let alder: Network;
    let birch: Network;
    let cedar: Network;

    beforeEach(async () => {
      harness = await makeHarness();
      [alder, birch, cedar] = ids.map((id) => harness.network(id)) as [Network, Network, Network];
      for (const network of [alder, birch, cedar]) {
        await whenPeers(network, () => {
          const peers = network.peers();
          return peers.length === ids.length - 1 && peers.every((peer) => peer.connected);
        });
      }
    });

    afterEach(async () => {
      await harness.stop();
    });

    it('connects every member with every other', () => {
      assert.deepEqual(
        alder.peers().map((peer) => peer.institution),
        ['birch', 'cedar'],
      );
      assert.equal(alder.self, 'alder');
    });

    it('delivers messages in order, each under the name of its sender', async () => {
      const inbox = collect(cedar);
      for (let i = 0; i < 200; i++) {
        alder.send('cedar', bytes(`a${i}`));
        birch.send('cedar', bytes(`b${i}`));
      }
      await inbox.until(() => inbox.received.length === 400);
      for (const [from, letter] of [
        ['alder', 'a'],
        ['birch', 'b'],
      ]) {
        assert.deepEqual(
          inbox.received.filter(([sender]) => sender === from).map(([, message]) => text(message)),
          Array.from({ length: 200 }, (_, i) => `${letter}${i}`),
        );
      }
    });

    it('carries a message of the greatest size unchanged and refuses greater and empty ones', async () => {
      const inbox = collect(birch);
      const greatest = new Uint8Array(messageBytesMax);
      for (let i = 0; i < greatest.length; i += 4093) greatest[i] = i & 0xff;
      alder.send('birch', greatest);
      await inbox.until(() => inbox.received.length === 1);
      assert.ok(Buffer.from(greatest).equals((inbox.received[0] as [string, Uint8Array])[1]));
      assert.throws(() => alder.send('birch', new Uint8Array(messageBytesMax + 1)), RangeError);
      assert.throws(() => alder.send('birch', new Uint8Array(0)), RangeError);
    });

    it('hands over the next message only when the handler has done with the last', async () => {
      let running = 0;
      let most = 0;
      const { promise, resolve } = Promise.withResolvers<void>();
      birch.onMessage(async (_from, message) => {
        running++;
        most = Math.max(most, running);
        await realClock.sleep(1);
        running--;
        if (text(message) === 'last') resolve();
      });
      for (let i = 0; i < 20; i++) alder.send('birch', bytes(`message ${i}`));
      alder.send('birch', bytes('last'));
      await promise;
      assert.equal(most, 1);
    });

    it('lets a slow peer hold up nobody else, and drops the oldest for it', async () => {
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      const slow: string[] = [];
      const { promise: sawLast, resolve: seeLast } = Promise.withResolvers<void>();
      birch.onMessage(async (_from, message) => {
        await released;
        slow.push(text(message.subarray(0, 8)));
        if (slow.at(-1) === '00009999') seeLast();
      });
      const inbox = collect(cedar);
      const sent = 3 * queueMessagesMax;
      const filler = new Uint8Array(4096);
      const numbered = (i: number): Uint8Array => {
        const message = filler.slice();
        message.set(bytes(String(i).padStart(8, '0')));
        return message;
      };
      for (let i = 0; i < sent; i++) {
        alder.send('birch', numbered(i));
        if (i % 100 === 0) {
          alder.send('cedar', numbered(i));
          await inbox.until(
            () => text(inbox.received.at(-1)?.[1].subarray(0, 8) ?? filler) === String(i).padStart(8, '0'),
          );
        }
      }
      alder.send('birch', numbered(9999));
      release();
      await sawLast;
      assert.ok(slow.length < sent, `${slow.length} of ${sent} came through`);
      assert.deepEqual(slow, [...slow].sort());
    });

    it('takes messages for absent peers and strangers without complaint', () => {
      alder.send('nobody', bytes('lost'));
      alder.send('alder', bytes('to myself'));
    });

    it('answers requests, many at a time', async () => {
      birch.handle('/test/echo/1', (from, body) => Promise.resolve(bytes(`${from}: ${text(body)}`)));
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, i) => alder.request('birch', '/test/echo/1', bytes(String(i)))),
      );
      assert.deepEqual(
        answers.map(text),
        Array.from({ length: 60 }, (_, i) => `alder: ${i}`),
      );
      assert.equal(
        (await cedar.request('birch', '/test/echo/1', new Uint8Array(0))).length,
        'cedar: '.length,
      );
    });

    it('carries large requests and answers', async () => {
      birch.handle('/test/echo/1', (_from, body) => Promise.resolve(body));
      const body = new Uint8Array(3_000_000).map((_, i) => i % 251);
      assert.ok(Buffer.from(body).equals(await alder.request('birch', '/test/echo/1', body)));
    });

    it('says PEER_UNREACHABLE when nobody answers', async () => {
      birch.handle('/test/never/1', never);
      birch.handle('/test/failing/1', () => Promise.reject(new Error('of no concern to the peer')));
      await assert.rejects(
        alder.request('birch', '/test/unknown/1', bytes('?')),
        hasCode('PEER_UNREACHABLE'),
      );
      await assert.rejects(
        alder.request('birch', '/test/failing/1', bytes('?')),
        hasCode('PEER_UNREACHABLE'),
      );
      await assert.rejects(alder.request('nobody', '/test/never/1', bytes('?')), hasCode('PEER_UNREACHABLE'));
      await assert.rejects(
        alder.request('birch', '/test/never/1', bytes('?'), { timeoutMs: 50 }),
        hasCode('PEER_UNREACHABLE'),
      );
    });

    it('refuses an answer over the limit of the caller', async () => {
      birch.handle('/test/long/1', () => Promise.resolve(new Uint8Array(1001)));
      await assert.rejects(
        alder.request('birch', '/test/long/1', bytes('?'), { answerBytesMax: 1000 }),
        hasCode('PEER_MISBEHAVED'),
      );
      assert.equal(
        (await alder.request('birch', '/test/long/1', bytes('?'), { answerBytesMax: 1001 })).length,
        1001,
      );
    });

    it('gives up a request with the signal of the caller, and tells the handler', async () => {
      const { promise: told, resolve: tell } = Promise.withResolvers<void>();
      const caller = new AbortController();
      birch.handle('/test/never/1', (from, body, signal) => {
        signal.addEventListener('abort', () => tell());
        caller.abort(new Error('changed my mind'));
        return never(from, body, signal);
      });
      await assert.rejects(
        alder.request('birch', '/test/never/1', bytes('?'), { signal: caller.signal }),
        /changed my mind/,
      );
      await told;
    });

    it('cuts off a member that was removed', async () => {
      const inbox = collect(birch);
      birch.handle('/test/echo/1', (_from, body) => Promise.resolve(body));
      harness.remove('alder');
      await whenPeers(birch, () => birch.peers().every((peer) => peer.institution !== 'alder'));
      await whenPeers(alder, () => alder.peers().every((peer) => !peer.connected));
      alder.send('birch', bytes('from outside'));
      await assert.rejects(alder.request('birch', '/test/echo/1', bytes('?')), hasCode('PEER_UNREACHABLE'));
      await assert.rejects(birch.request('alder', '/test/echo/1', bytes('?')), hasCode('PEER_UNREACHABLE'));
      cedar.send('birch', bytes('from inside'));
      await inbox.until(() => inbox.received.length > 0);
      assert.deepEqual(
        inbox.received.map(([from]) => from),
        ['cedar'],
      );
    });

    it('has one message handler, one handler for each protocol, and forgets them when asked', async () => {
      const forget = birch.onMessage(() => undefined);
      assert.throws(() => birch.onMessage(() => undefined));
      forget();
      birch.onMessage(() => undefined);
      const unhandle = birch.handle('/test/echo/1', (_from, body) => Promise.resolve(body));
      assert.throws(() => birch.handle('/test/echo/1', (_from, body) => Promise.resolve(body)));
      unhandle();
      await assert.rejects(alder.request('birch', '/test/echo/1', bytes('?')), hasCode('PEER_UNREACHABLE'));
    });
  });
}
