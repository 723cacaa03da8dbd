/** A receiving box in a process of its own, as its test sees it. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import type { ConfiguredMarks } from '../../firmware/src/ingest/disk-marks.ts';

const script = join(import.meta.dirname, '../fakes/receiving-process.ts');

export interface PreparedSpares {
  readonly count: number;
  readonly bytes: number;
}

export interface ReceivingProcessOptions {
  readonly folder: string;
  readonly boxKey: Uint8Array;
  readonly marks?: ConfiguredMarks;
  /** Made between what is received. */
  readonly spares?: PreparedSpares;
  /** What starts it, before its own command: the way into another mount namespace. */
  readonly within?: readonly string[];
}

export class ReceivingProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: AsyncIterator<string>;
  readonly #closed: Promise<unknown>;
  #errors = '';
  /** On which it receives. */
  readonly port: Promise<number>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.#child = child;
    this.#closed = once(child, 'close');
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.port = this.#ask('port') as Promise<number>;
  }

  static async start(options: ReceivingProcessOptions): Promise<ReceivingProcess> {
    const { folder, boxKey, marks = null, spares = null, within = [] } = options;
    const settings = [folder, toHex(boxKey), JSON.stringify(marks), JSON.stringify(spares)];
    const command = [...within, process.execPath, script, ...settings];
    const [program = '', ...args] = command;
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const started = new ReceivingProcess(child);
    await started.port;
    return started;
  }

  /** SHA-256 of each data set that it lists, by SOP Instance UID; each was read whole. */
  async objects(): Promise<Map<string, string>> {
    const listed = (await this.#ask('objects')) as [string, string][];
    const objects = new Map(listed);
    assert.equal(objects.size, listed.length, 'an object is listed twice');
    return objects;
  }

  async alarms(): Promise<readonly string[]> {
    return (await this.#ask('alarms')) as string[];
  }

  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    await this.#ask('stop');
    this.#child.stdin.end();
    await this.#closed;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async #ask(question: string): Promise<unknown> {
    this.#child.stdin.write(`${question}\n`);
    const line = await this.#lines.next();
    if (line.done === true) {
      await this.#closed;
      assert.fail(`the receiving process ended before it answered ${question}: ${this.#errors}`);
    }
    return JSON.parse(line.value) as unknown;
  }
}
