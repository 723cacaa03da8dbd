/**
 * A small ext4 file system of its own, to be filled and made read-only. It is mounted in a mount namespace that ends with
 * the process that holds it, so that nothing stays mounted whatever becomes of the test. Needs root, or sudo that asks
 * nothing.
 */
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
/** Where mkfs is, for those who are not root. */
const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];

export class SmallDisk {
  /** Where it is mounted, for those who are in its namespace. */
  readonly folder: string;
  readonly #holder: ChildProcess;
  readonly #pid: string;

  private constructor(folder: string, holder: ChildProcess, pid: string) {
    this.folder = folder;
    this.#holder = holder;
    this.#pid = pid;
  }

  /** `parent`: a folder for its image and mount point. */
  static async mount(parent: string, bytes: number): Promise<SmallDisk> {
    const image = join(parent, 'disk.img');
    const folder = join(parent, 'disk');
    await mkdir(folder);
    const file = await open(image, 'wx');
    await file.truncate(bytes);
    await file.close();
    await ran('mkfs.ext4', '-q', '-F', '-m', '0', image);
    // It lives until its standard input ends, at the latest when this process does.
    const script = 'echo $$; exec cat';
    const [program = '', ...args] = [
      ...asRoot,
      ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script],
    ];
    const holder = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const [pid] = (await once(holder.stdout.setEncoding('utf8'), 'data')) as [string];
    const disk = new SmallDisk(folder, holder, pid.trim());
    await disk.run('mount', '-o', 'loop', image, folder);
    return disk;
  }

  /** What runs a command where the disk is mounted, before the command. */
  get within(): readonly string[] {
    return [...asRoot, 'nsenter', `--mount=/proc/${this.#pid}/ns/mnt`, '--'];
  }

  /** Output of a command that must succeed. */
  run(...command: readonly string[]): Promise<string> {
    const [program = '', ...args] = [...this.within, ...command];
    return ran(program, ...args);
  }

  /** Takes all room but so many bytes. */
  async fillUpTo(freeBytes: number): Promise<void> {
    const free = Number(await this.run('stat', '-f', '-c', '%a', this.folder));
    const blockBytes = Number(await this.run('stat', '-f', '-c', '%S', this.folder));
    const bytes = free * blockBytes - freeBytes;
    assert.ok(bytes > 0, 'there is less room already');
    await this.run('fallocate', '-l', String(bytes), join(this.folder, 'filler'));
  }

  async makeRoom(): Promise<void> {
    await this.run('rm', join(this.folder, 'filler'));
  }

  async remount(mode: 'ro' | 'rw'): Promise<void> {
    await this.run('mount', '-o', `remount,${mode}`, this.folder);
  }

  async stop(): Promise<void> {
    const closed = once(this.#holder, 'close');
    this.#holder.stdin?.end();
    await closed;
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function ran(program: string, ...args: readonly string[]): Promise<string> {
  try {
    return (await execute(program, args, { env })).stdout.trim();
  } catch (cause) {
    throw new Error(`${program} ${args.join(' ')} failed; it needs root, or sudo without a password`, {
      cause,
    });
  }
}
