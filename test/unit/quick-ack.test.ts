/** The route option for modalities that leave Nagle's algorithm on: what is changed, and what is never touched. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseRoutes } from '../../firmware/src/box/ip-route.ts';
import { routeLookMs } from '../../firmware/src/box/limits.ts';
import { QuickAck } from '../../firmware/src/box/quick-ack.ts';
import { RouteMemory, type Family } from '../../firmware/src/box/route-memory.ts';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const direct = '10.9.1.0/24 dev eth1 proto kernel scope link src 10.9.1.5';
const fallback = 'default via 10.9.1.1 dev eth0 proto dhcp src 10.9.1.5 metric 100';

/** iproute2 over a table in memory: which routes match is told by the test, what is changed is kept. */
class Routes {
  lines: string[];
  readonly changes: string[] = [];
  fault: string | undefined;
  /** Prefixes that the network lies in, and that lie in the network. */
  match: readonly string[] = [];
  root: readonly string[] = [];

  constructor(lines: readonly string[]) {
    this.lines = [...lines];
  }

  readonly run = async (args: readonly string[]): Promise<string> => {
    const [family, ...words] = args;
    assert.equal(family, '-4');
    if (words[0] === '-oneline') {
      assert.deepEqual(words.slice(0, 5), ['-oneline', 'route', 'show', 'table', 'main']);
      const [selector, prefix = ''] = words.slice(5);
      const prefixes = selector === 'match' ? this.match : selector === 'root' ? this.root : [prefix];
      return this.lines.filter((line) => prefixes.includes(line.split(' ')[0] ?? '')).join('\n');
    }
    assert.deepEqual(words.slice(0, 2), ['route', 'change']);
    const route = words.slice(2);
    this.changes.push(route.join(' '));
    if (this.fault !== undefined) throw new Error(this.fault);
    const [prefix] = route;
    this.lines = this.lines.map((line) => (line.split(' ')[0] === prefix ? route.join(' ') : line));
    return '';
  };
}

interface Machine {
  /** What the box has on its disk. */
  readonly index: MemoryStore;
  readonly boot: string;
}

function make(
  routes: Routes,
  networks: readonly string[] = ['10.9.1.0/24'],
  { index, boot }: Machine = { index: new MemoryStore(), boot: 'first' },
) {
  const health = new MemoryHealthBoard();
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const bootId = () => Promise.resolve(boot);
  const options = { networks, clock, logger, health, index, bootId, runIp: routes.run };
  return { quickAck: new QuickAck(options), health, clock };
}

/** Lets a look that a timer began come to its end. */
async function looked(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

test('the narrowest route to a network gets the option, keeps its words, and is changed back', async () => {
  const routes = new Routes([fallback, direct]);
  routes.match = ['default', '10.9.1.0/24'];
  routes.root = ['10.9.1.0/24'];
  const { quickAck, health } = make(routes);
  await quickAck.start();
  assert.deepEqual(routes.lines, [fallback, `${direct} quickack 1`]);
  assert.deepEqual(health.list(), []);
  await quickAck.stop();
  assert.deepEqual(routes.lines, [fallback, direct]);
  assert.equal(routes.changes.length, 2);
});

test('a network behind a router is served by the wider route; routes within it are served too', async () => {
  const within = '10.9.1.128/25 via 10.9.1.7 dev eth1 metric 5';
  const routes = new Routes([fallback, within]);
  routes.match = ['default'];
  routes.root = ['10.9.1.128/25'];
  const { quickAck } = make(routes);
  await quickAck.start();
  assert.deepEqual(routes.lines, [`${fallback} quickack 1`, `${within} quickack 1`]);
  await quickAck.stop();
  assert.deepEqual(routes.lines, [fallback, within]);
});

test('an option that stands already is not ours: nothing is changed, now or at the end', async () => {
  const routes = new Routes([`${direct} quickack 1`]);
  routes.match = ['10.9.1.0/24'];
  const { quickAck, health } = make(routes);
  await quickAck.start();
  await quickAck.stop();
  assert.deepEqual(routes.changes, []);
  assert.deepEqual(health.list(), []);
});

test('a route that was set anew meanwhile gets the option again; one that is another now is left alone', async () => {
  const routes = new Routes([direct]);
  routes.match = ['10.9.1.0/24'];
  const { quickAck, clock } = make(routes);
  await quickAck.start();
  routes.lines = [direct];
  clock.advance(routeLookMs);
  await looked();
  assert.deepEqual(routes.lines, [`${direct} quickack 1`]);
  const other = '10.9.1.0/24 via 10.9.7.1 dev eth2 quickack 1';
  routes.lines = [other];
  await quickAck.stop();
  assert.deepEqual(routes.lines, [other]);
});

test('where the box may not, the console says what it costs and what to type', async () => {
  const routes = new Routes([direct]);
  routes.match = ['10.9.1.0/24'];
  routes.fault = 'RTNETLINK answers: Operation not permitted';
  const { quickAck, health, clock } = make(routes);
  await quickAck.start();
  const [item] = health.list();
  assert.equal(item?.code, 'QUICKACK_NOT_SET');
  assert.match(item.detail, /Operation not permitted.*ip -4 route change 10\.9\.1\.0\/24 .* quickack 1/);
  assert.match(item.remedy, /45 to 90 ms/);
  // An administrator does.
  routes.lines = [`${direct} quickack 1`];
  clock.advance(routeLookMs);
  await looked();
  assert.deepEqual(health.list(), []);
  await quickAck.stop();
  assert.deepEqual(routes.lines, [`${direct} quickack 1`]);
});

test('a network without a route, and a route that a router announces, are said and not touched', async () => {
  const announced = '10.9.1.0/24 via 10.9.1.1 dev eth1 proto ra metric 100 expires 1799sec';
  const routes = new Routes([announced]);
  const { quickAck, health } = make(routes);
  await quickAck.start();
  assert.match(health.list()[0]?.detail ?? '', /no route to 10\.9\.1\.0\/24/);
  await quickAck.stop();
  routes.match = ['10.9.1.0/24'];
  const second = make(routes);
  await second.quickAck.start();
  assert.match(second.health.list()[0]?.detail ?? '', /announced by a router/);
  await second.quickAck.stop();
  assert.deepEqual(routes.changes, []);
});

test('a killed box takes its option back at the next start, also where it serves other networks now', async () => {
  const machine = { index: new MemoryStore(), boot: 'first' };
  const other = '10.9.2.0/24 dev eth2 scope link';
  const routes = new Routes([direct, other]);
  routes.match = ['10.9.1.0/24'];
  await make(routes, ['10.9.1.0/24'], machine).quickAck.start();
  assert.deepEqual(routes.lines, [`${direct} quickack 1`, other]);
  // It is killed, and configured anew.
  routes.match = ['10.9.2.0/24'];
  const next = make(routes, ['10.9.2.0/24'], machine);
  await next.quickAck.start();
  assert.deepEqual(routes.lines, [direct, `${other} quickack 1`]);
  await next.quickAck.stop();
  assert.deepEqual(routes.lines, [direct, other]);
  assert.deepEqual([...machine.index.values.keys()], [], 'nothing is left to undo');
});

test('a box that is killed between remembering and changing a route touches nobody’s at the next start', async () => {
  const machine = { index: new MemoryStore(), boot: 'first' };
  const routes = new Routes([direct]);
  routes.match = ['10.9.1.0/24'];
  routes.fault = 'killed';
  await make(routes, ['10.9.1.0/24'], machine).quickAck.start();
  routes.fault = undefined;
  routes.changes.length = 0;
  await make(routes, [], machine).quickAck.start();
  assert.deepEqual(routes.changes, []);
});

test('after a start of the machine the option is an administrator’s, and stays', async () => {
  const index = new MemoryStore();
  const routes = new Routes([direct]);
  routes.match = ['10.9.1.0/24'];
  await make(routes, ['10.9.1.0/24'], { index, boot: 'first' }).quickAck.start();
  routes.changes.length = 0;
  const next = make(routes, [], { index, boot: 'second' });
  await next.quickAck.start();
  await next.quickAck.stop();
  assert.deepEqual([routes.lines, routes.changes], [[`${direct} quickack 1`], []]);
});

test('what cannot be taken back now is taken back another time', async () => {
  const machine = { index: new MemoryStore(), boot: 'first' };
  const routes = new Routes([direct]);
  routes.match = ['10.9.1.0/24'];
  await make(routes, ['10.9.1.0/24'], machine).quickAck.start();
  routes.fault = 'RTNETLINK answers: Operation not permitted';
  const without = make(routes, [], machine);
  await without.quickAck.start();
  await without.quickAck.stop();
  routes.fault = undefined;
  await make(routes, [], machine).quickAck.start();
  assert.deepEqual(routes.lines, [direct]);
});

test('words of the kernel alone, routes to nowhere and several next hops are read', () => {
  const output = [
    '10.9.3.0/24 \\\tnexthop via 10.9.1.7 dev a weight 1 linkdown \\\tnexthop via 10.9.1.8 dev a weight 2 ',
    'blackhole 10.66.0.0/16 ',
    '10.9.4.0/24 dev b scope link quickack 0 linkdown',
    '',
  ].join('\n');
  assert.deepEqual(parseRoutes(output), [
    {
      prefix: '10.9.3.0/24',
      words: '10.9.3.0/24 nexthop via 10.9.1.7 dev a weight 1 nexthop via 10.9.1.8 dev a weight 2'.split(' '),
      quickack: false,
    },
    { prefix: '10.9.4.0/24', words: '10.9.4.0/24 dev b scope link'.split(' '), quickack: false },
  ]);
});

test('what is remembered of routes has its form on disk', async () => {
  const vector = JSON.parse(
    readFileSync(new URL('../vectors/route-memory.json', import.meta.url), 'utf8'),
  ) as {
    readonly key: string;
    readonly bootId: string;
    readonly routes: readonly { readonly family: Family; readonly words: readonly string[] }[];
    readonly value: string;
  };
  const index = new MemoryStore();
  const memory = new RouteMemory(index, () => Promise.resolve(vector.bootId));
  const changed = vector.routes.map(({ family, words }) => ({
    family,
    route: { prefix: words[0] ?? '', words, quickack: false },
  }));
  await memory.save(changed);
  assert.deepEqual(
    [...index.values].map(([key, value]) => [key, toHex(value)]),
    [[vector.key, vector.value]],
  );
  index.values.set(vector.key, fromHex(vector.value));
  assert.deepEqual(await memory.load(), changed);
});
