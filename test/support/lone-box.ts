/** One real box in a folder of its own, for tests of what it does when something is wrong with it. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { defaultParameters } from '../../firmware/src/ledger/index.ts';
import { ConsoleClient } from '../../provisioning/demo/console-client.ts';
import { HospitalProcess } from '../../provisioning/demo/hospital-process.ts';
import { boxConfig, type Hospital } from '../../provisioning/demo/hospitals.ts';
import { testTiming } from './demo-consortium.ts';
import { freePorts } from './free-ports.ts';

const mainPath = fileURLToPath(new URL('../../firmware/src/main.ts', import.meta.url));

/** How a run of the program ended, as the person in front of it saw it. */
export interface ProgramEnd {
  /** Null if it did not end by itself: it came up, and was told to stop. */
  readonly status: number | null;
  readonly stdout: string;
  /** Lines of the standard error that are no log. */
  readonly words: readonly string[];
  /** Lines of the log. */
  readonly log: readonly string[];
}

/** A program that has not ended by then hangs: a start costs some seconds, on a loaded machine ten times that. */
const programMsMax = 60_000;

/**
 * Runs the program to its end. A box that comes up, which no test of a fault wants, is stopped.
 * @param within what starts it, before its own command: the way into another namespace.
 */
export function runProgram(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
  within: readonly string[] = [],
): Promise<ProgramEnd> {
  return runProgramAt(mainPath, args, env, within);
}

/** The same of another checkout's program, by the path of its main.ts. */
export async function runProgramAt(
  main: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
  within: readonly string[] = [],
): Promise<ProgramEnd> {
  const [command = '', ...rest] = [...within, process.execPath, main, ...args];
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    timeout: programMsMax,
    killSignal: 'SIGKILL',
  });
  let isUp = false;
  child.stdout.on('data', (part: Buffer) => {
    if (!part.includes('Hilum is up')) return;
    isUp = true;
    child.kill('SIGTERM');
  });
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  const lines = stderr.split('\n').filter((line) => line !== '');
  const log = lines.filter((line) => line.startsWith('{'));
  const words = lines.filter((line) => !line.startsWith('{'));
  return { status: isUp ? null : status, stdout, words, log };
}

/** A key of the configuration that is set to undefined is left out. */
type Configuration = Readonly<Record<string, unknown>>;

export class LoneBox {
  readonly folder: string;
  readonly process: HospitalProcess;
  #configuration: Configuration;

  private constructor(hospital: Hospital, folder: string) {
    this.folder = folder;
    this.process = new HospitalProcess(hospital, folder);
    this.#configuration = { ...(boxConfig(hospital, testTiming) as Configuration), genesisFile: undefined };
  }

  /** A box that is in no consortium. Stopped and removed when the test ends, whatever happened. */
  static async make(t: Pick<TestContext, 'after'>, id: string): Promise<LoneBox> {
    const folder = await mkdtemp(join(tmpdir(), 'hilum-lone-'));
    const [dicom, p2p, plane, console] = (await freePorts(4)) as [number, number, number, number];
    const box = new LoneBox({ id, name: `Hospital ${id}`, ports: { dicom, p2p, plane, console } }, folder);
    t.after(async () => {
      await box.process.stop();
      await rm(folder, { recursive: true, force: true });
    });
    await box.configure({});
    return box;
  }

  /** A box that is the one member of a consortium of its own, and so finalises blocks alone. */
  static async makeMember(t: Pick<TestContext, 'after'>, id: string): Promise<LoneBox> {
    const box = await LoneBox.make(t, id);
    const institution = await box.process.enrol();
    const genesis = {
      name: 'One hospital',
      time: Date.now(),
      validators: [id],
      institutions: [institution],
      parameters: defaultParameters,
      vendor: { keys: [], threshold: 0 },
      development: true,
    };
    await writeFile(join(box.folder, 'genesis.json'), JSON.stringify(genesis));
    await box.configure({ genesisFile: 'genesis.json' });
    return box;
  }

  get dataFolder(): string {
    return join(this.folder, 'data');
  }

  get configPath(): string {
    return join(this.folder, 'config.json');
  }

  /** The configuration file with these top-level keys instead, from now on. */
  async configure(changes: Configuration): Promise<void> {
    this.#configuration = { ...this.#configuration, ...changes };
    await mkdir(this.folder, { recursive: true });
    await writeFile(this.configPath, JSON.stringify(this.#configuration));
  }

  /** Another configuration file beside its own, for one run. */
  async variant(changes: Configuration): Promise<string> {
    const path = join(this.folder, 'variant.json');
    await writeFile(path, JSON.stringify({ ...this.#configuration, ...changes }));
    return path;
  }

  /** Runs it where it is expected to end with a fault. */
  run(configPath = this.configPath, env: Readonly<Record<string, string>> = {}): Promise<ProgramEnd> {
    return runProgram(['run', '--config', configPath], env);
  }

  /** Starts it in a network of its own that has nothing but the loopback interface, until it is up. */
  runAlone(): Promise<ProgramEnd> {
    const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
    const within = ['unshare', '--net', ...asRoot, 'sh', '-ec', 'ip link set lo up; exec "$@"', 'sh'];
    return runProgram(['run', '--config', this.configPath], {}, within);
  }

  /** Starts it for the first time; logs its first administrator in. */
  async startFirst(): Promise<ConsoleClient> {
    const first = await this.process.start();
    if (first === undefined) throw new Error('a new box makes its first administrator');
    const password = randomBytes(12).toString('base64url');
    const newcomer = new ConsoleClient(this.process.origin, this.process.certificateSha256);
    await newcomer.logIn(first.name, first.password);
    await newcomer.changePassword(first.password, password);
    this.#login = { name: first.name, password };
    return this.logIn();
  }

  #login = { name: '', password: '' };

  async logIn(): Promise<ConsoleClient> {
    const client = new ConsoleClient(this.process.origin, this.process.certificateSha256);
    await client.logIn(this.#login.name, this.#login.password);
    return client;
  }
}
