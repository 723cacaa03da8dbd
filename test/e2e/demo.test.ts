/** `npm start` as a person uses it: it is started again, told to begin anew, interrupted at any time, killed. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { portCount } from '../../provisioning/demo/hospitals.ts';
import { waitFor } from '../../provisioning/demo/waiting.ts';

const demoPath = fileURLToPath(new URL('../../provisioning/demo/demo.ts', import.meta.url));
const founding = 'Consortium\n';
const started = '✓ four boxes and one PACS start';
/** How long a killed demonstration's processes may take to end. */
const orphanSecondsMax = 15;
const patienceSeconds = 120;

let folder: string;
let ports: string;
const running = new Set<Demo>();

/** One run of the demonstration, in a group of its own as a shell would make it. */
class Demo {
  readonly #child: ChildProcess;
  readonly #ended: Promise<[number | null]>;
  #told = '';

  constructor(...flags: readonly string[]) {
    const args = ['--folder', folder, '--ports', ports, '--slices', '3', ...flags];
    this.#child = spawn(process.execPath, [demoPath, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#told += text));
    }
    this.#ended = once(this.#child, 'close') as Promise<[number | null]>;
    running.add(this);
  }

  get told(): string {
    return this.#told;
  }

  async says(text: string): Promise<void> {
    await waitFor(`"${text}" in:\n${this.#told}`, patienceSeconds, () =>
      Promise.resolve(this.#told.includes(text) ? true : undefined),
    );
  }

  /** To the whole group, as a terminal sends it. */
  send(signal: NodeJS.Signals): void {
    process.kill(-(this.#child.pid ?? assert.fail('it does not run')), signal);
  }

  async ended(): Promise<number | null> {
    const [status] = await this.#ended;
    running.delete(this);
    return status;
  }
}

/** Command lines of processes that work in the folder: boxes, PACS, simulated TPMs, wallets. */
async function processesInFolder(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => ''); // it ended meanwhile
    if (command.includes(folder)) found.push(command.replaceAll('\0', ' '));
  }
  return found;
}

async function assertNoneLeft(): Promise<void> {
  assert.deepEqual(await processesInFolder(), []);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = once(server, 'listening');
  server.listen(port, '127.0.0.1');
  try {
    await listening;
  } catch {
    return false; // somebody has it
  }
  server.close();
  await once(server, 'close');
  return true;
}

/** Below the ports that the system hands out by itself, so that nobody gets one between two runs. */
async function freeRange(): Promise<number> {
  for (let first = 20_000 + (process.pid % 300) * portCount; first < 32_000; first += portCount) {
    const range = Array.from({ length: portCount }, (_, index) => first + index);
    if ((await Promise.all(range.map(isFree))).every(Boolean)) return first;
  }
  return assert.fail('no range of ports is free');
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hilum-demo-'));
  ports = String(await freeRange());
});
after(async () => {
  for (const demo of running) {
    demo.send('SIGKILL');
    await demo.ended();
  }
  await waitFor('the processes of the demonstration to end', orphanSecondsMax, async () =>
    (await processesInFolder()).length === 0 ? true : undefined,
  );
  await rm(folder, { recursive: true, force: true });
});

test('an interrupt while the boxes make their keys ends all, and a second one does not hurry it', async () => {
  const demo = new Demo();
  await demo.says(founding);
  await waitFor('a box to make its keys', patienceSeconds, async () =>
    (await processesInFolder()).some((command) => command.includes(' enrol ')) ? true : undefined,
  );
  demo.send('SIGINT');
  demo.send('SIGINT');
  assert.equal(await demo.ended(), 1);
  assert.match(demo.told, /Interrupted before every step was done/);
  await assertNoneLeft();
});

test('an interrupt while staff log in leaves nobody locked out; the next start does every step', async () => {
  const demo = new Demo();
  await demo.says(started);
  // Some boxes know their administrator's new password already, and not all have all accounts.
  await waitFor('the first password to be changed', patienceSeconds, async () =>
    (await readdir(folder)).includes('logins.json') ? true : undefined,
  );
  demo.send('SIGINT');
  assert.equal(await demo.ended(), 1, demo.told);
  await assertNoneLeft();

  const next = new Demo('--exit');
  assert.equal(await next.ended(), 0, next.told);
  assert.match(next.told, /kept from the last run/);
  assert.match(next.told, /✓ staff log in at the consoles/);
  assert.match(next.told, /✓ all got one and the same answer/);
  assert.match(next.told, /Every step held/);
  assert.doesNotMatch(next.told, /✗/);
  await assertNoneLeft();
});

test('--fresh is refused while another demonstration runs, and nothing of it is lost', async () => {
  const genesis = await readFile(join(folder, 'genesis.json'), 'utf8');
  const demo = new Demo();
  await demo.says(started);
  assert.match(demo.told, /kept from the last run/);

  const second = new Demo('--fresh');
  assert.equal(await second.ended(), 1);
  assert.match(second.told, /^Another demonstration runs in .*\n$/);
  assert.equal(await readFile(join(folder, 'genesis.json'), 'utf8'), genesis);

  // The first did not notice: its staff log in, and its boxes are stopped in order.
  await demo.says('✓ staff log in at the consoles');
  demo.send('SIGHUP');
  assert.equal(await demo.ended(), 1);
  await assertNoneLeft();
});

test('nothing outlives a demonstration that is killed', async () => {
  const demo = new Demo();
  await demo.says(started);
  demo.send('SIGKILL');
  await demo.ended();
  await waitFor('boxes, TPMs and PACS to end', orphanSecondsMax, async () =>
    (await processesInFolder()).length === 0 ? true : undefined,
  );
});
