/** A box takes another transport key while it runs: over real libp2p and TLS, with what the others do meanwhile. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { AppError } from '../../firmware/src/errors.ts';
import type { Institution } from '../../firmware/src/ledger/types.ts';
import { identityChangeMs, rotatedLinkMsMax, rotatedPlaneMsMax } from '../../firmware/src/p2p/limits.ts';
import { RotatingNetwork } from '../../firmware/src/p2p/rotating-network.ts';
import { TlsPlane } from '../../firmware/src/p2p/tls-plane.ts';
import type { Clock, Network, PlaneConnection } from '../../firmware/src/ports.ts';
import { institutionOf, MemberSet, publicKeyOf, seedOf, silentLogger } from '../fakes/consortium.ts';
import { realClock } from '../fakes/real-clock.ts';

const chain = new Uint8Array(32).fill(7);
/** Timers run five times as fast. */
const haste = 5;
const hastyClock: Clock = { ...realClock, setTimer: (ms, run) => realClock.setTimer(ms / haste, run) };

const toStop: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

/** The transport keys of one box: the first is the one that its ledger names. */
interface Keys {
  seeds: readonly Uint8Array[];
}

async function startNetwork(id: string, members: MemberSet, keys: Keys): Promise<RotatingNetwork> {
  const network = new RotatingNetwork({
    self: id,
    chain,
    transportSeeds: () => keys.seeds,
    listen: '/ip4/127.0.0.1/tcp/0',
    members: members.members,
    onMembersChange: members.onMembersChange,
    clock: hastyClock,
    logger: silentLogger,
  });
  await network.start();
  toStop.push(() => network.stop());
  return network;
}

async function whenConnected(network: Network, id: string, expected = true): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    const peer = network.peers().find(({ institution }) => institution === id);
    if ((peer?.connected === true) === expected) resolve();
  };
  const unsubscribe = network.onPeerChange(look);
  look();
  await promise;
  unsubscribe();
}

const oldSeed = seedOf('birch');
const newSeed = seedOf('birch, rotated');

/** Two boxes; each sees the ledger by a member set of its own, so that one can be behind. */
async function twoBoxes() {
  const keys: Keys = { seeds: [oldSeed] };
  const [seenByAlder, seenByBirch] = [new MemberSet(), new MemberSet()];
  const both = [institutionOf('alder'), institutionOf('birch')];
  seenByAlder.replace(both);
  seenByBirch.replace(both);
  const alder = await startNetwork('alder', seenByAlder, { seeds: [seedOf('alder')] });
  const birch = await startNetwork('birch', seenByBirch, keys);
  const reached = (key: Uint8Array): Institution[] => {
    const member = institutionOf('birch', { p2p: birch.multiaddr() });
    return [
      institutionOf('alder', { p2p: alder.multiaddr() }),
      { ...member, keys: { ...member.keys, transport: key } },
    ];
  };
  return { alder, birch, keys, seenByAlder, seenByBirch, reached };
}

test('the others reach a box under its new key, and what was registered serves on', async () => {
  const { alder, birch, keys, seenByAlder, seenByBirch, reached } = await twoBoxes();
  const heard: string[] = [];
  let told: (() => void) | undefined;
  birch.onMessage((_from, message) => {
    heard.push(Buffer.from(message).toString());
    told?.();
  });
  birch.handle('echo', (_from, body) => Promise.resolve(body));
  seenByAlder.replace(reached(publicKeyOf(oldSeed)));
  seenByBirch.replace(reached(publicKeyOf(oldSeed)));
  await Promise.all([whenConnected(alder, 'birch'), whenConnected(birch, 'alder')]);
  assert.deepEqual([...(await alder.request('birch', 'echo', Uint8Array.of(1)))], [1]);
  assert.equal(birch.hasSettled(), true);

  // libp2p chose the port: the other identity listens where the first one did not, and the ledger says so.
  const lost = whenConnected(alder, 'birch', false);
  keys.seeds = [newSeed, oldSeed];
  seenByBirch.replace(reached(publicKeyOf(newSeed)));
  seenByAlder.replace(reached(publicKeyOf(newSeed)));
  assert.equal(alder.peers()[0]?.connected, true, 'the link of before goes on for a moment');
  assert.equal(birch.hasSettled(), false);
  await lost;
  seenByAlder.replace(reached(publicKeyOf(newSeed)));
  await Promise.all([whenConnected(alder, 'birch'), whenConnected(birch, 'alder')]);
  assert.equal(birch.hasSettled(), true);
  assert.deepEqual([...(await alder.request('birch', 'echo', Uint8Array.of(2)))], [2]);
  const message = new Promise<void>((resolve) => (told = resolve));
  alder.send('birch', Buffer.from('after the rotation'));
  await message;
  assert.deepEqual(heard, ['after the rotation']);
});

test('a box whose new key nobody knows is heard again under its old one, until they know it', async () => {
  const { alder, birch, keys, seenByAlder, seenByBirch, reached } = await twoBoxes();
  seenByAlder.replace(reached(publicKeyOf(oldSeed)));
  seenByBirch.replace(reached(publicKeyOf(oldSeed)));
  await whenConnected(birch, 'alder');
  const lost = whenConnected(birch, 'alder', false);
  keys.seeds = [newSeed, oldSeed];
  // Only this box has seen the block: the others need it to see it, too.
  seenByBirch.replace(reached(publicKeyOf(newSeed)));
  await lost;
  await whenConnected(birch, 'alder');
  assert.equal(birch.hasSettled(), false, 'connected by the old key');
  seenByAlder.replace(reached(publicKeyOf(newSeed)));
  await whenConnected(alder, 'birch', false);
});

test('the old key opens no connection any more once the others know the new one', async () => {
  const { alder, birch, keys, seenByAlder, reached } = await twoBoxes();
  seenByAlder.replace(reached(publicKeyOf(newSeed)));
  await realClock.sleep((2 * (identityChangeMs + rotatedLinkMsMax)) / haste);
  assert.equal(alder.peers()[0]?.connected, false);
  assert.equal(birch.peers()[0]?.connected, false);
  assert.deepEqual(keys.seeds, [oldSeed]);
});

async function startPlane(
  id: string,
  members: MemberSet,
  seed: () => Uint8Array,
  clock = hastyClock,
): Promise<TlsPlane> {
  const plane = new TlsPlane({
    self: id,
    chain,
    transportSeed: seed,
    listen: { host: '127.0.0.1', port: 0 },
    members: members.members,
    onMembersChange: members.onMembersChange,
    clock,
    logger: silentLogger,
  });
  await plane.start();
  toStop.push(() => plane.stop());
  return plane;
}

/** A certificate is made in some milliseconds; until then the plane shows the one of before, which is refused. */
async function opened(plane: TlsPlane, member: Institution): Promise<PlaneConnection> {
  for (let tries = 1; ; tries++) {
    try {
      return await plane.open(member);
    } catch (error) {
      if (!(error instanceof AppError) || tries === 50) throw error;
      await realClock.sleep(20);
    }
  }
}

test('the plane shows its new key to whoever comes, and ends in time what it had begun', async () => {
  let seed = oldSeed;
  const members = new MemberSet([institutionOf('alder'), institutionOf('birch')]);
  const source = await startPlane('birch', members, () => seed);
  const grantee = await startPlane('alder', members, () => seedOf('alder'));
  const birchWith = (key: Uint8Array): Institution => {
    const member = institutionOf('birch', { plane: source.address() });
    return { ...member, keys: { ...member.keys, transport: key } };
  };
  const before = birchWith(publicKeyOf(oldSeed));
  members.replace([institutionOf('alder'), before]);
  let goOn = (): void => undefined;
  const held = new Promise<void>((resolve) => (goOn = resolve));
  toStop.push(() => Promise.resolve(goOn()));
  source.serve(() =>
    Promise.resolve(
      (async function* () {
        yield Uint8Array.of(1);
        await held;
        yield Uint8Array.of(2);
      })(),
    ),
  );
  const frames = (await grantee.open(before)).request(Uint8Array.of(0))[Symbol.asyncIterator]();
  assert.deepEqual([...((await frames.next()).value as Uint8Array)], [1]);

  seed = newSeed;
  const after = birchWith(publicKeyOf(newSeed));
  members.replace([institutionOf('alder'), after]);
  await assert.rejects(
    grantee.open(before),
    (error) => error instanceof AppError && error.code === 'NOT_A_MEMBER',
  );
  const fresh = (await opened(grantee, after)).request(Uint8Array.of(0))[Symbol.asyncIterator]();
  assert.deepEqual([...((await fresh.next()).value as Uint8Array)], [1]);
  goOn();
  assert.deepEqual([...((await frames.next()).value as Uint8Array)], [2], 'a stream of before ends whole');
  assert.equal((await frames.next()).done, true);
  await fresh.return?.();
});

test('what the old key has begun on the plane is cut when its time is over, and at once where the box was replaced', async () => {
  for (const replaced of [false, true]) {
    /** Ends of the time that a rotated key has: run by hand. */
    const ends: (() => void)[] = [];
    const clock: Clock = {
      ...realClock,
      setTimer: (ms, run) => {
        if (ms !== rotatedPlaneMsMax) return realClock.setTimer(ms, run);
        ends.push(run);
        return { cancel: () => undefined };
      },
    };
    const members = new MemberSet([institutionOf('alder'), institutionOf('birch')]);
    const source = await startPlane('birch', members, () => oldSeed, clock);
    const grantee = await startPlane('alder', members, () => seedOf('alder'), clock);
    const before = institutionOf('birch', { plane: source.address() });
    members.replace([institutionOf('alder'), before]);
    source.serve(({ signal }) =>
      Promise.resolve(
        (async function* () {
          yield Uint8Array.of(1);
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        })(),
      ),
    );
    const frames = (await grantee.open(before)).request(Uint8Array.of(0))[Symbol.asyncIterator]();
    await frames.next();
    const identity = new Uint8Array(65).fill(replaced ? 9 : 0);
    // Others of the plane's times are as long.
    ends.splice(0);
    members.replace([
      institutionOf('alder'),
      { ...before, keys: { ...before.keys, transport: publicKeyOf(newSeed), identity } },
    ]);
    assert.equal(ends.length, replaced ? 0 : 1);
    for (const end of ends) end();
    await assert.rejects(frames.next());
  }
});
