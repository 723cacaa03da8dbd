/** A small checkout with the real set-up, stand-in programs behind it, and a PATH that holds stand-in tools alone. */
import { spawn } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const nodePackage = `node-linux-${process.arch}`;

export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Options for the Node that stands for the one that npm runs on. */
  readonly nodeOptions?: readonly string[];
  /** Called with the set-up's process and what it printed, whenever it printed. */
  readonly onOutput?: (kill: (signal: NodeJS.Signals) => void, stdout: string) => void;
}

export class SetUpCheckout {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<SetUpCheckout> {
    const folder = await mkdtemp(join(tmpdir(), 'set-up-'));
    const checkout = new SetUpCheckout(folder);
    await cp(join(root, 'provisioning', 'setup'), join(folder, 'provisioning', 'setup'), { recursive: true });
    await checkout.write('package.json', '{ "type": "module" }\n');
    await checkout.write('package-lock.json', '{}\n');
    await checkout.write(
      'firmware/console/build.ts',
      `import { mkdirSync, writeFileSync } from 'node:fs';
       export function buildConsole(outDir: string): void {
         console.log('building');
         mkdirSync(outDir, { recursive: true });
         writeFileSync(outDir + '/page.html', 'page');
       }\n`,
    );
    await checkout.write('provisioning/wallet/cli.ts', `console.log('wallet', ...process.argv.slice(2));\n`);
    await checkout.write('provisioning/demo/demo.ts', `console.log('demo', ...process.argv.slice(2));\n`);
    await mkdir(join(folder, 'tools'));
    for (const name of ['env', 'true']) await symlink(join('/usr/bin', name), join(folder, 'tools', name));
    // What npm would install. The stand-in for npm puts it into the empty folder that it leaves.
    await checkout.tool('npm', checkout.freshNodeModules);
    await checkout.tool('apt-get', 'echo "apt-get $*" >> calls');
    await checkout.tool('apt-cache', 'echo "  Candidate: 1.0"');
    await checkout.tool('sh', 'echo "sh $*" >> calls; : > installed');
    await checkout.tool('sudo', '[ "$1" = -n ] && shift; exec "$@"');
    // Everything is installed once the stand-in for the installation ran.
    await checkout.tool(
      'dpkg-query',
      '[ -e installed ] || exit 1; shift 3; for name; do echo "$name installed"; done',
    );
    return checkout;
  }

  /** What npm ci does, in shell. */
  get freshNodeModules(): string {
    return `/bin/rm -rf node_modules; /bin/mkdir node_modules; ${this.linkNode}`;
  }

  get linkNode(): string {
    return `/bin/ln -s ${join(root, 'node_modules', nodePackage)} node_modules/${nodePackage}`;
  }

  async write(path: string, text: string): Promise<void> {
    const target = join(this.folder, path);
    await mkdir(join(target, '..'), { recursive: true });
    await writeFile(target, text);
  }

  /** A shell script in the place of a tool; it runs in the checkout, and finds stand-ins only, unless by full path. */
  async tool(name: string, script: string): Promise<void> {
    const path = join(this.folder, 'tools', name);
    await writeFile(path, `#!/bin/sh\ncd ${this.folder}\n${script}\n`);
    await chmod(path, 0o755);
  }

  removeTool(name: string): Promise<void> {
    return rm(join(this.folder, 'tools', name));
  }

  /** What the stand-ins noted. */
  async calls(): Promise<string> {
    try {
      return await readFile(join(this.folder, 'calls'), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    }
  }

  /** Everything that the set-up would install stands already. */
  async setUpOnce(): Promise<void> {
    const { status, stderr } = await this.run('start');
    if (status !== 0) throw new Error(stderr);
    await rm(join(this.folder, 'calls'), { force: true });
  }

  run(target: string, args: readonly string[] = [], options: RunOptions = {}): Promise<Run> {
    const { nodeOptions = [], onOutput } = options;
    return new Promise((resolve, reject) => {
      const child = spawn(
        process.execPath,
        [...nodeOptions, join(this.folder, 'provisioning', 'setup', 'run.mjs'), target, ...args],
        {
          cwd: this.folder,
          env: { ...process.env, PATH: join(this.folder, 'tools'), npm_execpath: '' },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
        onOutput?.((signal) => child.kill(signal), stdout);
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      child.on('error', reject);
      child.on('close', (status) => resolve({ status, stdout, stderr }));
    });
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}
