/**
 * A modality's network for the bench: a network namespace that holds nothing but the far ends of two links. Over one
 * the sender reaches the box, over the other the peers, so that the box's quickack route serves the box alone.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readlink } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { keep } from '../../../provisioning/demo/keeper.ts';

const run = promisify(execFile);

export interface Link {
  /** The receiver's address on it. */
  readonly host: string;
  /** Its network, as the box's configuration names it. */
  readonly network: string;
}

export class ModalityLink {
  readonly box: Link = { host: '10.213.1.1', network: '10.213.1.0/24' };
  readonly peers: Link = { host: '10.213.2.1', network: '10.213.2.0/24' };
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  /** In a network namespace of our own only: see `insideOwnNetwork`. */
  static async open(): Promise<ModalityLink> {
    const holder = keep(spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' }));
    await once(holder, 'spawn');
    const link = new ModalityLink(holder);
    await link.#entered();
    await link.#connect('box', '10.213.1');
    await link.#connect('peers', '10.213.2');
    return link;
  }

  /** Words before a command that is to run in the modality's network. */
  get prefix(): readonly string[] {
    return ['nsenter', '--target', String(this.#holder.pid), '--net'];
  }

  async close(): Promise<void> {
    const closed = once(this.#holder, 'close');
    this.#holder.kill('SIGKILL');
    await closed;
  }

  /** The namespace exists only once unshare has made it. */
  async #entered(): Promise<void> {
    const ours = await readlink('/proc/self/ns/net');
    while ((await readlink(`/proc/${this.#holder.pid}/ns/net`)) === ours) {
      if (this.#holder.exitCode !== null) throw new Error('unshare cannot make a network namespace');
      await delay(10);
    }
  }

  async #connect(name: string, network: string): Promise<void> {
    const far = `${name}far`;
    await run('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', far]);
    await run('ip', ['link', 'set', far, 'netns', String(this.#holder.pid)]);
    await run('ip', ['address', 'add', `${network}.1/24`, 'dev', name]);
    await run('ip', ['link', 'set', name, 'up']);
    const [enter = '', ...args] = this.prefix;
    await run(enter, [...args, 'ip', 'address', 'add', `${network}.2/24`, 'dev', far]);
    await run(enter, [...args, 'ip', 'link', 'set', far, 'up']);
  }
}

/** Set in the environment of a bench that was started anew in a network namespace of its own. */
const marker = 'HILUM_BENCH_NETWORK';

/** Starts this very command again in a network namespace of its own: nothing that it sets is seen outside. */
export async function insideOwnNetwork(body: () => Promise<void>): Promise<void> {
  if (process.env[marker] !== undefined) {
    await run('ip', ['link', 'set', 'lo', 'up']);
    return body();
  }
  const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  const child = spawn('unshare', ['--net', ...asRoot, process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [marker]: '1' },
  });
  // A terminal tells the child itself.
  process.on('SIGINT', () => undefined);
  process.once('SIGTERM', () => child.kill('SIGTERM'));
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  process.exitCode = code ?? (signal === null ? 0 : 1);
}
