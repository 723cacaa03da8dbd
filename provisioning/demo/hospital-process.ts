/** One hospital's box as a process of its own: firmware/src/main.ts and its configuration file, nothing else. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Hospital } from './hospitals.ts';
import { nodeOptions } from '../node-options.ts';
import { keep } from './keeper.ts';

const mainPath = fileURLToPath(new URL('../../firmware/src/main.ts', import.meta.url));

const readyPattern = /^Hilum is up: .*certificate SHA-256 (?<certificate>[0-9a-f]{64})/;
const firstLoginPattern = /^First administrator: (?<name>\S+), one-time password: (?<password>\S+)/;

/** A box that did not do what it was started for; the message is its own last word. */
export class BoxFailed extends Error {
  override readonly name = 'BoxFailed';
}

export interface FirstLogin {
  readonly name: string;
  readonly password: string;
}

interface Ready {
  readonly certificateSha256: string;
  readonly firstLogin: FirstLogin | undefined;
}

export class HospitalProcess {
  readonly hospital: Hospital;
  readonly folder: string;
  readonly #signal: AbortSignal | undefined;
  #child: ChildProcess | undefined;
  #certificateSha256 = '';

  /** Nothing is started any more once `signal` is aborted. */
  constructor(hospital: Hospital, folder: string, signal?: AbortSignal) {
    this.hospital = hospital;
    this.folder = folder;
    this.#signal = signal;
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.hospital.id} does not run`);
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get origin(): string {
    return `https://127.0.0.1:${this.hospital.ports.console}`;
  }

  get certificateSha256(): string {
    return this.#certificateSha256;
  }

  get logPath(): string {
    return join(this.folder, 'log.jsonl');
  }

  /** Makes the keys; resolves with the record for the genesis file. @throws BoxFailed. */
  async enrol(): Promise<unknown> {
    const child = this.#spawn('enrol');
    this.#child = child;
    child.stdout?.resume();
    const faults = this.#keepLog(child);
    const [status] = (await once(child, 'close')) as [number | null];
    if (status !== 0) throw new BoxFailed(`${this.hospital.name}: ${faults()}`);
    return JSON.parse(await readFile(join(this.folder, 'data', 'enrolment.json'), 'utf8'));
  }

  /** Resolves when the box says that it is up. @throws BoxFailed with its own words. */
  async start(): Promise<FirstLogin | undefined> {
    const child = this.#spawn('run');
    this.#child = child;
    const faults = this.#keepLog(child);
    const { promise, resolve, reject } = Promise.withResolvers<Ready>();
    let firstLogin: FirstLogin | undefined;
    if (child.stdout === null) throw new Error('the standard output is piped');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const login = firstLoginPattern.exec(line)?.groups;
      if (login !== undefined) firstLogin = { name: login['name'] ?? '', password: login['password'] ?? '' };
      const ready = readyPattern.exec(line)?.groups;
      if (ready !== undefined) resolve({ certificateSha256: ready['certificate'] ?? '', firstLogin });
    });
    child.once('close', () => reject(new BoxFailed(`${this.hospital.name}: ${faults()}`)));
    const ready = await promise;
    this.#certificateSha256 = ready.certificateSha256;
    return ready.firstLogin;
  }

  /** Ends it cleanly. Resolves with its exit status. */
  async stop(): Promise<number | null> {
    return this.#end('SIGTERM');
  }

  /** Like a power cut. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || !this.running) return child?.exitCode ?? null;
    const closed = once(child, 'close') as Promise<[number | null]>;
    child.kill(signal);
    const [status] = await closed;
    return status;
  }

  #spawn(command: 'run' | 'enrol'): ChildProcess {
    // A group of its own: Ctrl-C in a terminal goes to the demonstration alone, which stops the boxes in order.
    this.#signal?.throwIfAborted();
    const args = [...nodeOptions, mainPath, command, '--config', join(this.folder, 'config.json')];
    return keep(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true }));
  }

  /** Appends the log to its file; a line that is no log is the box's word to a person, and is what this returns. */
  #keepLog(child: ChildProcess): () => string {
    const words: string[] = [];
    const log = createWriteStream(this.logPath, { flags: 'a', mode: 0o600 });
    if (child.stderr === null) throw new Error('the standard error is piped');
    createInterface({ input: child.stderr })
      .on('line', (line) => {
        if (line.startsWith('{')) log.write(`${line}\n`);
        else words.push(line);
      })
      .on('close', () => log.end());
    return () => words.slice(0, 20).join('\n') || `it ended without a word; see ${this.logPath}`;
  }
}
