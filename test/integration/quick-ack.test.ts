/** Real routes of a network namespace: the box's option on them, every other word as it was, and undone at the end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runTool } from '../support/dimse-tools.ts';

const program = fileURLToPath(new URL('../fakes/routing-process.ts', import.meta.url));

/** In a network of its own; without being root, root of a user namespace of its own. */
async function inOwnNetwork(script: string): Promise<unknown> {
  const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  const { code, output } = await runTool('unshare', ['--net', ...asRoot, 'sh', '-ec', script]);
  assert.equal(code, 0, output);
  return JSON.parse(output.trim().split('\n').at(-1) ?? '');
}

const links = `
ip link set lo up
ip link add here type veth peer name there
ip address add 10.9.1.5/24 dev here
ip -6 address add fd00:9::5/64 dev here nodad
ip link set here up
ip link set there up
ip route add 10.9.3.0/24 nexthop via 10.9.1.7 dev here weight 1 nexthop via 10.9.1.8 dev here weight 2
ip route add default via 10.9.1.1 metric 100 mtu 1400
`;

interface Seen {
  readonly before: readonly string[];
  readonly during: readonly string[];
  readonly after: readonly string[];
  readonly health: readonly string[];
}

const option = / quickack 1/;
const without = (line: string): string => line.replace(option, '');

test('quickack is set on the routes to modality networks, of every kind, and undone', async () => {
  const networks = ['10.9.1.0/24', '10.9.3.0/24', '192.168.77.0/24', 'fd00:9::/64'];
  const seen = (await inOwnNetwork(
    `${links}\nexec ${process.execPath} ${program} ${networks.join(' ')}`,
  )) as Seen;
  assert.deepEqual(seen.health, []);
  assert.deepEqual(seen.during.map(without), seen.before);
  const served = seen.during.filter((line) => option.test(line)).map((line) => line.split(' ')[0]);
  assert.deepEqual(served.toSorted(), ['10.9.1.0/24', '10.9.3.0/24', 'default', 'fd00:9::/64']);
  assert.deepEqual(seen.after, seen.before);
});

test('without CAP_NET_ADMIN nothing is changed, and the console says so', async () => {
  const seen = (await inOwnNetwork(
    `${links}\nexec setpriv --bounding-set -net_admin --inh-caps -net_admin ${process.execPath} ${program} 10.9.1.0/24`,
  )) as Seen;
  assert.deepEqual(seen.during, seen.before);
  assert.equal(seen.health.length, 1);
  assert.match(seen.health[0] ?? '', /^QUICKACK_NOT_SET .*not permitted/);
});
