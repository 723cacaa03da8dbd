/**
 * A network of its own for each of some boxes, on one switch. Everything lies in namespaces that end with the processes
 * that hold them, so that nothing of it stays whatever becomes of the test; a user namespace makes them, so that nobody
 * needs to be root.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

const execute = promisify(execFile);
/** Where ip is, for those who are not root. */
const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
const device = 'eth0';
/** The switch on which all are, and one without a way to it. */
const bridges = { together: 'together', apart: 'apart' } as const;
/** Of a machine that is not there. */
const nobodysAddress = '02:00:00:00:00:01';

interface Namespace {
  readonly holder: ChildProcess;
  readonly pid: string;
}

export class Networks {
  readonly #switch: Namespace;
  readonly #boxes: readonly Namespace[];

  private constructor(main: Namespace, boxes: readonly Namespace[]) {
    this.#switch = main;
    this.#boxes = boxes;
  }

  /** @throws Error if ip, unshare or nsenter are missing or may not do what they must. */
  static async open(count: number): Promise<Networks> {
    const main = await held(['unshare', '--user', '--map-root-user', '--net']);
    const boxes: Namespace[] = [];
    const networks = new Networks(main, boxes);
    try {
      for (const bridge of Object.values(bridges)) {
        await networks.#onSwitch('link', 'add', bridge, 'type', 'bridge');
        await networks.#onSwitch('link', 'set', bridge, 'up');
      }
      for (let box = 0; box < count; box++) {
        const namespace = await held([...enter(main, main), 'unshare', '--net']);
        boxes.push(namespace);
        await networks.#onSwitch(
          ...['link', 'add', portOf(box), 'type', 'veth', 'peer', 'name', device, 'netns', namespace.pid],
        );
        await networks.#onSwitch('link', 'set', portOf(box), 'master', bridges.together, 'up');
        await networks.#at(box, 'address', 'add', `${addressOf(box)}/24`, 'dev', device);
        await networks.#at(box, 'link', 'set', device, 'up');
        await networks.#at(box, 'link', 'set', 'lo', 'up');
      }
    } catch (error) {
      await networks.stop();
      throw error;
    }
    return networks;
  }

  /** What runs a command on this box, before the command; its process is the command's. */
  within(box: number): readonly string[] {
    return enter(this.#switch, this.#namespace(box));
  }

  /** The cable of this box is pulled, or put in again. */
  async cable(box: number, is: 'out' | 'in'): Promise<void> {
    await this.#onSwitch('link', 'set', portOf(box), is === 'in' ? 'up' : 'down');
  }

  /** These boxes reach each other and nobody else, or all again: what is sent goes nowhere, and nobody is told. */
  async split(boxes: readonly number[], is: 'apart' | 'together'): Promise<void> {
    for (const box of boxes) await this.#onSwitch('link', 'set', portOf(box), 'master', bridges[is]);
  }

  /** What this box sends goes nowhere, or to all again; it hears all the time. */
  async voice(box: number, is: 'off' | 'on'): Promise<void> {
    for (let other = 0; other < this.#boxes.length; other++) {
      if (other === box) continue;
      const neighbour = [addressOf(other), 'dev', device];
      // Flushed, not deleted: the kernel may have forgotten the entry, and that is no failure.
      if (is === 'on') await this.#at(box, 'neighbour', 'flush', 'to', ...neighbour, 'nud', 'permanent');
      else {
        const toNobody = ['lladdr', nobodysAddress, 'nud', 'permanent'];
        await this.#at(box, 'neighbour', 'replace', ...neighbour, ...toNobody);
      }
    }
  }

  async stop(): Promise<void> {
    for (const { holder } of [...this.#boxes, this.#switch]) {
      const closed = once(holder, 'close');
      holder.stdin?.end();
      await closed;
    }
  }

  #namespace(box: number): Namespace {
    const namespace = this.#boxes[box];
    if (namespace === undefined) throw new RangeError(`no box ${box}`);
    return namespace;
  }

  #onSwitch(...command: readonly string[]): Promise<void> {
    return ip(enter(this.#switch, this.#switch), command);
  }

  #at(box: number, ...command: readonly string[]): Promise<void> {
    return ip(this.within(box), command);
  }
}

/** IPv4, of a network that is reserved for tests of devices (RFC 2544). */
export function addressOf(box: number): string {
  return `198.18.0.${box + 1}`;
}

function portOf(box: number): string {
  return `port${box}`;
}

function enter(user: Namespace, net: Namespace): readonly string[] {
  const namespaces = [`--user=/proc/${user.pid}/ns/user`, `--net=/proc/${net.pid}/ns/net`];
  return ['nsenter', ...namespaces, '--preserve-credentials', '--'];
}

/** A process that lives until its standard input ends, at the latest when this process does. */
async function held(command: readonly string[]): Promise<Namespace> {
  const [program = '', ...args] = [...command, 'sh', '-c', 'echo $$; exec cat'];
  const holder = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
  const failed = once(holder, 'exit').then(([code]) => {
    throw new Error(`${program} ${args.join(' ')} ended with ${code}`);
  });
  const begun = once(holder.stdout.setEncoding('utf8'), 'data') as Promise<[string]>;
  const [pid] = await Promise.race([begun, failed]);
  return { holder, pid: pid.trim() };
}

async function ip(within: readonly string[], command: readonly string[]): Promise<void> {
  const [program = '', ...args] = [...within, 'ip', ...command];
  await execute(program, args, { env });
}
