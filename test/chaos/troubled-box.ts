/** One box of the chaos as its driver sees it: a process that is killed and started again, and what troubles it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { BoxReport, BoxSetup, FinalBlockTold, FromBox, Outcome, ToBox } from './box-messages.ts';
import type { Submission } from './load.ts';
import type { Trouble } from './plan.ts';

const program = fileURLToPath(new URL('box-process.ts', import.meta.url));

export interface TroubledBoxListener {
  /** It takes part, is not troubled and has its connections or may make them; or the contrary. */
  availability(isAvailable: boolean): void;
  finalBlock(block: FinalBlockTold): void;
  settled(id: string, outcome: Outcome): void;
  /** It ended, and nobody had killed it. */
  ended(errors: string): void;
}

export class TroubledBox {
  readonly id: string;
  readonly #command: readonly string[];
  readonly #listener: TroubledBoxListener;
  readonly #troubles = new Set<Trouble>();
  #process: ChildProcess | undefined;
  /** What the present process has complained about. */
  #errors = '';
  #isReady = false;
  #isAvailable = false;
  /** Resolved by the next report. */
  #report = Promise.withResolvers<BoxReport>();
  /** What it was given and has not settled. */
  readonly open = new Set<string>();
  /** Height of its newest final block, as far as it is known. */
  height = 0;
  starts = 0;
  /** Submissions of which nobody will know what became of them, since it was killed. */
  forgotten = 0;

  /** `within`: what runs a command where this box is; its process must be the command's. */
  constructor(setup: BoxSetup, within: readonly string[], listener: TroubledBoxListener) {
    this.id = setup.self;
    this.#listener = listener;
    // However this process ends, it is killed then, even while it is frozen.
    const mortal = ['setpriv', '--pdeathsig', 'KILL'];
    this.#command = [...within, ...mortal, process.execPath, program, JSON.stringify(setup)];
  }

  get isAvailable(): boolean {
    return this.#isAvailable;
  }

  /** A box that runs is left as it is: on a slow machine two troubles of one box can overlap. */
  start(): void {
    if (this.#process !== undefined) return;
    const [command = '', ...args] = this.#command;
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    this.#errors = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (this.#process === child || this.#process === undefined) this.#errors += text;
    });
    child.on('message', (message: FromBox) => {
      if (this.#process === child) this.#heard(message);
    });
    child.once('close', () => {
      if (this.#process !== child) return;
      this.#gone();
      this.#listener.ended(this.#errors);
    });
    this.#process = child;
    this.starts++;
  }

  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#gone();
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** In order; it must be available. @throws Error if it does not end well. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (child === undefined) throw new Error(`${this.id} is not running`);
    this.#gone();
    // Not 'close': it never comes to a child from which this process disconnects first.
    const ended = once(child, 'exit');
    child.disconnect();
    const [code] = (await ended) as [number | null];
    if (code !== 0) throw new Error(`${this.id} ended with ${code}: ${this.#errors}`);
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(name);
  }

  troubled(trouble: Trouble): void {
    this.#troubles.add(trouble);
    this.#look();
  }

  relieved(trouble: Trouble): void {
    this.#troubles.delete(trouble);
    this.#look();
  }

  submit({ id, bytes }: Submission): void {
    if (this.open.has(id)) return;
    this.open.add(id);
    this.#tell({ kind: 'submit', id, bytes });
  }

  report(): Promise<BoxReport> {
    this.#report = Promise.withResolvers();
    this.#tell({ kind: 'report' });
    return this.#report.promise;
  }

  #tell(message: ToBox): void {
    this.#process?.send(message);
  }

  #heard(message: FromBox): void {
    switch (message.kind) {
      case 'ready':
        this.height = message.height;
        this.#isReady = true;
        this.#look();
        break;
      case 'final':
        this.height = message.height;
        this.#listener.finalBlock(message);
        break;
      case 'settled':
        this.open.delete(message.id);
        this.#listener.settled(message.id, message.outcome);
        break;
      case 'report':
        this.#report.resolve(message);
        break;
    }
  }

  #gone(): void {
    this.#process = undefined;
    this.#isReady = false;
    this.forgotten += this.open.size;
    this.open.clear();
    this.#look();
  }

  #look(): void {
    const isAvailable = this.#isReady && this.#troubles.size === 0;
    if (isAvailable === this.#isAvailable) return;
    this.#isAvailable = isAvailable;
    this.#listener.availability(isAvailable);
  }
}
