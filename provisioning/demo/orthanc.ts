/** Orthanc as a hospital's PACS: a real one, on loopback, its storage in a folder of the demonstration. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { boxAeTitle, type PacsAddress } from './hospitals.ts';
import { keep } from './keeper.ts';

const startMsMax = 30_000;

/** @throws Error naming the port if somebody listens on it: what answered there later would not be ours. */
async function assertFree(port: number): Promise<void> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (cause: NodeJS.ErrnoException) =>
    reject(
      cause.code === 'EADDRINUSE'
        ? new Error(`port ${port} in use: the PACS cannot start; end the program that listens there`, {
            cause,
          })
        : cause,
    ),
  );
  server.listen(port, '127.0.0.1', () => server.close(() => resolve()));
  return promise;
}

export class Orthanc {
  readonly address: PacsAddress;
  readonly #folder: string;
  readonly #signal: AbortSignal | undefined;
  #child: ChildProcess | undefined;

  /** Nothing is started any more once `signal` is aborted. */
  constructor(address: PacsAddress, folder: string, signal?: AbortSignal) {
    this.address = address;
    this.#folder = folder;
    this.#signal = signal;
  }

  get #url(): string {
    return `http://127.0.0.1:${this.address.httpPort}`;
  }

  /** Resolves when it answers. @throws Error if one of its ports is in use, or it does not come up. */
  async start(): Promise<void> {
    for (const port of [this.address.httpPort, this.address.dicomPort]) await assertFree(port);
    await mkdir(this.#folder, { recursive: true });
    const configPath = join(this.#folder, 'orthanc.json');
    await writeFile(configPath, JSON.stringify(this.#configuration(), null, 2));
    const log = await open(join(this.#folder, 'orthanc.log'), 'a');
    try {
      this.#signal?.throwIfAborted();
      const child = spawn('Orthanc', [configPath], {
        stdio: ['ignore', log.fd, log.fd],
        detached: true,
        // dcmtk, on which Orthanc stands, leaves Nagle's algorithm on, and each of its answers then waits for our ACK.
        env: { ...process.env, TCP_NODELAY: '1' },
      });
      this.#child = keep(child);
      await once(child, 'spawn');
    } finally {
      await log.close();
    }
    const deadline = Date.now() + startMsMax;
    while (!(await this.#answers())) {
      this.#signal?.throwIfAborted();
      if (this.#child.exitCode !== null) throw new Error(`Orthanc ended; see ${this.#folder}/orthanc.log`);
      if (Date.now() > deadline) throw new Error(`Orthanc does not answer at ${this.#url}`);
      await delay(100);
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    await closed;
  }

  /** Orthanc's ids of the instances of a study; empty if it holds none. */
  async instancesOf(studyInstanceUid: string): Promise<readonly string[]> {
    const found = await this.#json<readonly string[]>('/tools/find', {
      Level: 'Instance',
      Query: { StudyInstanceUID: studyInstanceUid },
    });
    return found;
  }

  /** The file of an instance as Orthanc keeps it. */
  async file(instance: string): Promise<Buffer> {
    const response = await fetch(`${this.#url}/instances/${instance}/file`);
    if (!response.ok) throw new Error(`Orthanc answered ${response.status} for an instance`);
    return Buffer.from(await response.arrayBuffer());
  }

  async #json<Result>(path: string, body: unknown): Promise<Result> {
    const response = await fetch(`${this.#url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`Orthanc answered ${response.status} to ${path}`);
    return (await response.json()) as Result;
  }

  async #answers(): Promise<boolean> {
    try {
      return (await fetch(`${this.#url}/system`)).ok;
    } catch {
      return false; // not listening yet
    }
  }

  #configuration(): unknown {
    return {
      Name: this.address.aeTitle,
      StorageDirectory: join(this.#folder, 'storage'),
      IndexDirectory: join(this.#folder, 'storage'),
      Plugins: [],
      RemoteAccessAllowed: false,
      AuthenticationEnabled: false,
      HttpBindAddresses: ['127.0.0.1'],
      HttpPort: this.address.httpPort,
      DicomAet: this.address.aeTitle,
      DicomPort: this.address.dicomPort,
      // Only the box may send, under its own title.
      DicomCheckCalledAet: true,
      DicomAlwaysAllowStore: false,
      DicomModalities: { box: [boxAeTitle, '127.0.0.1', 104] },
      UnknownSopClassAccepted: true,
      OverwriteInstances: true,
      StableAge: 1,
    };
  }
}
