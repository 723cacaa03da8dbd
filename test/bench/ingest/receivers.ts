/** Those that receive: our box as it runs in a hospital, dcmtk's storescp, Orthanc. Each in a folder of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Permission } from '../../../firmware/src/access/permissions.ts';
import { HospitalProcess } from '../../../provisioning/demo/hospital-process.ts';
import { keep } from '../../../provisioning/demo/keeper.ts';
import { freePorts } from '../../support/free-ports.ts';
import type { Target } from './sender.ts';

export interface Receiver {
  readonly target: Target;
  /** Of the process that receives. */
  readonly pid: number;
  /** Removes what it has received, where it does not keep it apart by itself. */
  clear(): Promise<void>;
  stop(): Promise<void>;
}

const anyAddress = '0.0.0.0';
const loopback = '127.0.0.1';
const startMsMax = 30_000;

/** Resolves when somebody listens. */
async function listening({ host, port }: Target, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + startMsMax;
  while (child.exitCode === null) {
    const socket = connect(port, host);
    const heard = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (heard) return;
    if (Date.now() > deadline) break;
    await delay(50);
  }
  throw new Error(`no receiver listens on port ${port}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  await closed;
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('the receiver could not be started');
  return child.pid;
}

/** The environment, with TCP_NODELAY for a dcmtk-based program or surely without. */
function environment(noDelay: boolean): NodeJS.ProcessEnv {
  const { TCP_NODELAY: _inherited, ...env } = process.env;
  return { ...env, ...(noDelay && { TCP_NODELAY: '1' }) };
}

/**
 * A box of a hospital that is in no consortium yet: firmware/src/main.ts, a TPM of its own, production's times. Towards
 * the networks it sets its quickack route. `callers` may associate beside the sender.
 */
export async function startBox(
  folder: string,
  modalityNetworks: readonly string[] = [],
  callers: readonly { readonly aeTitle: string; readonly may: readonly Permission[] }[] = [],
): Promise<Receiver> {
  const [dicom, p2p, plane, console] = (await freePorts(4)) as [number, number, number, number];
  await mkdir(folder, { recursive: true });
  const configuration = {
    institution: { id: 'bench', name: 'Hospital of the benchmark' },
    dataDir: 'data',
    tpm: { kind: 'swtpm' },
    dicom: {
      host: anyAddress,
      port: dicom,
      aeTitle: 'HILUM',
      callingAeTitles: ['DCMSEND'],
      callers,
      modalityNetworks,
    },
    console: { port: console },
  };
  await writeFile(join(folder, 'config.json'), JSON.stringify(configuration));
  const ports = { dicom, p2p, plane, console };
  const box = new HospitalProcess({ id: 'bench', name: 'Hospital of the benchmark', ports }, folder);
  await box.start();
  return {
    target: { host: loopback, port: dicom, aeTitle: 'HILUM' },
    pid: box.pid,
    clear: () => Promise.resolve(),
    stop: async () => {
      await box.stop();
    },
  };
}

export interface StorescpOptions {
  readonly noDelay: boolean;
  /** Further options of storescp. */
  readonly options: readonly string[];
}

/** storescp with +B (bit-preserving), which writes what it reads and syncs nothing. */
export async function startStorescp(
  folder: string,
  { noDelay, options }: StorescpOptions,
): Promise<Receiver> {
  const [port = 0] = await freePorts(1);
  await mkdir(folder, { recursive: true });
  const args = ['+B', ...options, '--output-directory', folder, String(port)];
  const child = keep(spawn('storescp', args, { stdio: 'ignore', env: environment(noDelay) }));
  await once(child, 'spawn');
  const target = { host: loopback, port, aeTitle: 'STORESCP' };
  await listening(target, child);
  return {
    target,
    pid: pidOf(child),
    clear: async () => {
      for (const name of await readdir(folder)) await rm(join(folder, name));
    },
    stop: () => end(child),
  };
}

/** Orthanc as it comes: nothing is configured but its folder and ports. */
export async function startOrthanc(folder: string, noDelay: boolean): Promise<Receiver> {
  const [port = 0, httpPort = 0] = await freePorts(2);
  await mkdir(folder, { recursive: true });
  const storage = join(folder, 'storage');
  const configuration = {
    StorageDirectory: storage,
    IndexDirectory: storage,
    DicomPort: port,
    HttpPort: httpPort,
  };
  const path = join(folder, 'orthanc.json');
  await writeFile(path, JSON.stringify(configuration));
  const child = keep(spawn('Orthanc', [path], { stdio: 'ignore', env: environment(noDelay) }));
  await once(child, 'spawn');
  const target = { host: loopback, port, aeTitle: 'ORTHANC' };
  await listening(target, child);
  const studies = `http://${loopback}:${httpPort}/studies`;
  return {
    target,
    pid: pidOf(child),
    clear: async () => {
      const response = await fetch(studies);
      for (const study of (await response.json()) as readonly string[])
        await fetch(`${studies}/${study}`, { method: 'DELETE' });
    },
    stop: () => end(child),
  };
}
