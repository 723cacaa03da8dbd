/**
 * The TPM binding on another Debian or another processor: in a root of its own, cut off from the network, with that
 * release's tpm2-tss and with Node for that processor.
 *
 *   node test/platforms/tpm.ts trixie amd64
 *   node test/platforms/tpm.ts trixie arm64
 *
 * This machine's processor runs the binding's tests, with that release's swtpm and tpm2-tools too. Another one runs under
 * QEMU, where making a TPM takes minutes: there the binding alone runs (binding.ts), with a TPM of this machine.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Argument, Command } from 'commander';
import { SoftwareTpm } from '../../firmware/tpm/index.ts';
import { silentLogger } from '../fakes/consortium.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const releases = ['bookworm', 'trixie'] as const;
const architectures = { amd64: { npm: 'x64', qemu: '' }, arm64: { npm: 'arm64', qemu: 'qemu-aarch64' } };
type Release = (typeof releases)[number];
type Architecture = keyof typeof architectures;

const hostArchitecture: Architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
const binaryFormats = '/proc/sys/fs/binfmt_misc';

/** As provisioning/setup/debian-packages.mjs names them in each release. */
const libraries: Readonly<Record<Release, readonly string[]>> = {
  bookworm: ['libtss2-esys-3.0.2-0', 'libtss2-mu0', 'libtss2-tctildr0', 'libtss2-tcti-swtpm0'],
  trixie: [
    'libtss2-esys-3.0.2-0t64',
    'libtss2-mu-4.0.1-0t64',
    'libtss2-tctildr0t64',
    'libtss2-tcti-swtpm0t64',
  ],
};
const programs = ['swtpm', 'swtpm-tools', 'tpm2-tools'];

/** Those that need no more than a TPM, its libraries and its tools. */
const tests = [
  'test/unit/tpm-*.test.ts',
  'test/tpm/tpm-attestation.test.ts',
  'test/tpm/tpm-attestation-tools.test.ts',
  'test/tpm/tpm-bus.test.ts',
  'test/tpm/tpm-interoperability.test.ts',
  'test/tpm/tpm-libraries.test.ts',
  'test/tpm/tpm-refusals.test.ts',
];

/** Not spawnSync: the TPM of this machine waits for whoever reads what it complains about. @throws Error with the status. */
async function run(command: string, args: readonly string[], folder = checkout): Promise<void> {
  const child = spawn(command, args, { cwd: folder, stdio: 'inherit' });
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status !== 0) throw new Error(`${command} ended with ${status ?? 'a signal'}`);
}

async function makeRoot(root: string, release: Release, architecture: Architecture): Promise<void> {
  const { qemu } = architectures[architecture];
  if (architecture !== hostArchitecture && !existsSync(join(binaryFormats, qemu))) {
    throw new Error(
      `this kernel does not start ${architecture} programs: ${binaryFormats}/${qemu} is missing`,
    );
  }
  if (existsSync(join(root, 'usr/bin/swtpm'))) return;
  await run('mmdebstrap', [
    ...['--variant=minbase', `--architectures=${architecture}`],
    `--include=${[...libraries[release], ...programs].join(',')}`,
    ...[release, root],
  ]);
}

/** What is committed, with the npm packages for that processor. @returns Node's path in it. */
async function layCheckout(root: string, architecture: Architecture): Promise<string> {
  const folder = join(root, 'hilum');
  await mkdir(folder, { recursive: true });
  await run('sh', ['-c', 'git archive HEAD | tar -x -C "$0"', folder]);
  const { npm } = architectures[architecture];
  const node = `node_modules/node-linux-${npm}/bin/node`;
  const install = ['ci', '--ignore-scripts', '--os=linux', `--cpu=${npm}`, '--no-audit', '--no-fund'];
  if (!existsSync(join(folder, node))) await run('npm', install, folder);
  return node;
}

/** Namespaces of its own for network, mounts and processes: nothing outlives the run, and nothing leaves the machine. */
const entering = [
  'ip link set lo up',
  'mount --bind /dev "$0/dev"',
  'mount -t proc proc "$0/proc"',
  'mount -t tmpfs tmpfs "$0/tmp"',
  'mount --bind "$2" "$0/mnt"',
  'exec chroot "$0" /usr/bin/env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c "$1"',
].join(' && ');

/** @param shared seen as /mnt inside. */
async function inside(root: string, shared: string, command: string): Promise<void> {
  const namespaces = ['--net', '--mount', '--pid', '--fork', '--ipc', '--kill-child'];
  const script = `cd /hilum && uname -m && ${command}`;
  await run('unshare', [...namespaces, 'sh', '-c', entering, root, script, shared]);
}

async function runBinding(root: string, node: string, shared: string): Promise<void> {
  const tpm = new SoftwareTpm({ stateFolder: join(shared, 'swtpm'), logger: silentLogger });
  try {
    await tpm.start();
    const { tcti } = await tpm.open();
    await inside(root, shared, `${node} test/platforms/binding.ts ${tcti.replace(shared, '/mnt')}`);
  } finally {
    await tpm.stop();
  }
}

await new Command('node test/platforms/tpm.ts')
  .description('The TPM binding, as committed, on another Debian or processor. Needs root.')
  .addArgument(new Argument('<release>').choices(releases))
  .addArgument(new Argument('<architecture>').choices(Object.keys(architectures)))
  .option('--roots <folder>', 'where the roots are made and kept', join(tmpdir(), 'hilum-platforms'))
  .action(async (release: Release, architecture: Architecture, { roots }: { roots: string }) => {
    const root = join(roots, `${release}-${architecture}`);
    const shared = await mkdtemp(join(tmpdir(), 'hilum-platform-'));
    try {
      await mkdir(roots, { recursive: true });
      await makeRoot(root, release, architecture);
      const node = await layCheckout(root, architecture);
      if (architecture !== hostArchitecture) await runBinding(root, node, shared);
      else await inside(root, shared, `${node} --test --test-concurrency=1 ${tests.join(' ')}`);
    } finally {
      await rm(shared, { recursive: true, force: true });
    }
  })
  .parseAsync();
