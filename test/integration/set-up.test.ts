/** provisioning/setup, run as npm runs it, with stand-ins for the tools that change a machine. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { SetUpCheckout } from '../support/set-up-checkout.ts';

const before = (statement: string): { readonly nodeOptions: readonly string[] } => ({
  nodeOptions: ['--import', `data:text/javascript,${statement}`],
});
/** Tests may run as root or not: these say which. */
const asRoot = before('process.getuid = () => 0');
const asUser = before('process.getuid = () => 1000');

async function checkoutFor(t: TestContext): Promise<SetUpCheckout> {
  const checkout = await SetUpCheckout.make();
  t.after(() => checkout.remove());
  return checkout;
}

test('the first start installs what is missing, says why, and runs the program', async (t) => {
  const checkout = await checkoutFor(t);
  const first = await checkout.run('start', ['--exit']);
  assert.equal(first.status, 0, first.stderr);
  assert.equal(first.stdout, 'demo --exit\n');
  assert.match(first.stderr, /✔ npm ci/);
  assert.match(first.stderr, /swtpm +the TPM of each hospital/);
  assert.match(first.stderr, /✔ build the pages/);
  const calls = await checkout.calls();
  assert.match(calls, /^apt-get update\nsh .*install-debian-packages\.sh .*\bswtpm\b.*\borthanc\b/);
  assert.doesNotMatch(calls, /chromium/, 'what only tests need is not installed for a start');
});

test('a second start sets nothing up and says nothing of it', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.setUpOnce();
  const second = await checkout.run('start');
  assert.equal(second.status, 0);
  assert.equal(second.stdout, 'demo\n');
  assert.equal(second.stderr, '');
  assert.equal(await checkout.calls(), '');
});

test('npm runs without install scripts, with development and optional packages, and once for a lock file', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.tool('npm', `echo "npm $*" >> calls; ${checkout.freshNodeModules}`);
  await checkout.run('wallet');
  await checkout.run('wallet');
  assert.match(await checkout.calls(), /^npm ci --ignore-scripts --include=dev --include=optional .*\n$/);
  await checkout.write('package-lock.json', '{ "changed": true }\n');
  await checkout.run('wallet');
  assert.equal((await checkout.calls()).match(/^npm ci/gm)?.length, 2);
});

test('an interrupted npm is run again', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.tool('npm', `/bin/mkdir -p node_modules; ${checkout.linkNode}; exit 1`);
  assert.equal((await checkout.run('wallet')).status, 1);
  await checkout.tool('npm', `echo again >> calls; ${checkout.freshNodeModules}`);
  assert.equal((await checkout.run('wallet')).status, 0);
  assert.equal(await checkout.calls(), 'again\n');
});

test('a failing npm ends with its last words, the command and a remedy', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.tool(
    'npm',
    'echo "npm http fetch GET 200" >&2; echo "npm error network is away" >&2; exit 7',
  );
  const { status, stdout, stderr } = await checkout.run('wallet');
  assert.equal(status, 1);
  assert.equal(stdout, '');
  assert.match(
    stderr,
    /npm ci --ignore-scripts failed \(exit status 7\); it said:\n {4}npm error network is away\n/,
  );
  assert.match(stderr, /Check the network/);
  assert.doesNotMatch(stderr, /fetch GET/);
});

test('packages are asked for by the name that this release has', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.tool(
    'apt-cache',
    'case "$2" in *-0|*mu0|*rc0|*ldr0|*tpm0|*device0) exit 0;; *) echo "  Candidate: 1.0";; esac',
  );
  assert.equal((await checkout.run('start')).status, 0);
  const calls = await checkout.calls();
  assert.match(calls, /libtss2-esys-3\.0\.2-0t64 libtss2-mu-4\.0\.1-0t64/);
});

test('a failing installation ends with its last words', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.tool('sh', 'echo "E: Unable to fetch some archives"; exit 100');
  const { status, stdout, stderr } = await checkout.run('start');
  assert.equal(status, 1);
  assert.equal(stdout, '');
  assert.match(
    stderr,
    /apt-get install swtpm .* failed \(exit status 100\); it said:\n {4}E: Unable to fetch/,
  );
});

test('a package that no source has is named, with what apt-get update said', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.tool('apt-get', 'echo "W: Failed to fetch the lists"');
  await checkout.tool('apt-cache', '[ "$2" = dcmtk ] || echo "  Candidate: 1.0"');
  const { status, stderr } = await checkout.run('start');
  assert.equal(status, 1);
  assert.match(stderr, /do not have dcmtk; apt-get update said:\n {4}W: Failed to fetch the lists/);
});

test('a failing update alone does not end it: the lists may be fresh enough', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.tool('apt-get', 'exit 100');
  assert.equal((await checkout.run('start')).status, 0);
});

test('a system without apt gets one error that lists what to install', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.removeTool('apt-get');
  const { status, stdout, stderr } = await checkout.run('start');
  assert.equal(status, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /this is not a Debian system/);
  for (const name of ['swtpm', 'dcmtk', 'orthanc', 'python3-pydicom'])
    assert.match(stderr, new RegExp(`^ +${name} `, 'm'));
  assert.doesNotMatch(stderr, /npm ci/, 'nothing is downloaded first');
});

test('without root and without sudo it says what an administrator has to install', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.removeTool('sudo');
  const { status, stderr } = await checkout.run('start', [], asUser);
  assert.equal(status, 1);
  assert.match(stderr, /needs root, but there is no sudo/);
  assert.match(stderr, /apt-get install --no-install-recommends swtpm swtpm-tools/);
});

test('a user who may use sudo gets the packages by it, root without', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.tool('sudo', 'echo "sudo $*" >> calls; [ "$1" = -n ] && shift; exec "$@"');
  assert.equal((await checkout.run('start', [], asUser)).status, 0);
  assert.match(
    await checkout.calls(),
    /^sudo -n true\nsudo -n env DEBIAN_FRONTEND=noninteractive .* apt-get update\n/,
  );
  const another = await checkoutFor(t);
  await another.removeTool('sudo');
  assert.equal((await another.run('start', [], asRoot)).status, 0);
});

test('a user whom sudo refuses is told so', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.tool('sudo', 'exit 1');
  assert.match((await checkout.run('start', [], asUser)).stderr, /needs root \(sudo refused\)/);
});

test('what needs no Debian packages asks for none', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.removeTool('apt-get');
  const { status, stdout } = await checkout.run('wallet', ['studies', '--json']);
  assert.equal(status, 0);
  assert.equal(stdout, 'wallet studies --json\n');
});

test('the console is built again when its sources change, and only then', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.setUpOnce();
  assert.equal(await readFile(join(checkout.folder, 'firmware/console/dist/page.html'), 'utf8'), 'page');
  await checkout.write('firmware/console/page.tsx', 'changed');
  assert.match((await checkout.run('start')).stderr, /✔ build the pages/);
  assert.equal((await checkout.run('start')).stderr, '');
});

test('a console that does not build ends with what the build said', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.setUpOnce();
  await checkout.write(
    'firmware/console/build.ts',
    `export function buildConsole(): void {
       throw new Error('no such page');
     }\n`,
  );
  const { status, stderr } = await checkout.run('start');
  assert.equal(status, 1);
  assert.match(stderr, /the console could not be built.*Error: no such page/s);
});

test('the exit status of the program is passed on', async (t) => {
  const checkout = await checkoutFor(t);
  await checkout.write('provisioning/wallet/cli.ts', 'process.exit(42);\n');
  assert.equal((await checkout.run('wallet')).status, 42);
  await checkout.write('provisioning/wallet/cli.ts', `process.kill(process.pid, 'SIGKILL');\n`);
  assert.equal((await checkout.run('wallet')).status, 128 + 9);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} reaches the program once, and its clean end is waited for`, async (t) => {
    const checkout = await checkoutFor(t);
    await checkout.write(
      'provisioning/wallet/cli.ts',
      `let times = 0;
       process.on('${signal}', () => {
         times += 1;
         setTimeout(() => { console.log('ended after', times); process.exit(0); }, 200);
       });
       setInterval(() => undefined, 1000);
       console.log('up');\n`,
    );
    let sent = false;
    const { status, stdout } = await checkout.run('wallet', [], {
      onOutput: (kill, text) => {
        if (sent || !text.includes('up')) return;
        sent = true;
        kill(signal);
      },
    });
    assert.equal(stdout, 'up\nended after 1\n');
    assert.equal(status, 0);
  });
}

test('a Node that is too old is told so in one sentence', async (t) => {
  const checkout = await checkoutFor(t);
  const old = before(`Object.defineProperty(process, 'versions', { value: { node: '16.20.2' } })`);
  const { status, stderr } = await checkout.run('start', [], old);
  assert.equal(status, 1);
  assert.match(stderr, /^Hilum: this is Node 16\.20\.2; Node 18 or newer is needed/);
  assert.doesNotMatch(stderr, /\bat .*\.mjs/);
});

test('an unknown target names those that there are', async (t) => {
  const checkout = await checkoutFor(t);
  const { status, stderr } = await checkout.run('strat');
  assert.equal(status, 1);
  assert.match(stderr, /nothing to run by the name of strat\nUse one of: npm start, npm test/);
});
