/** Programs of Debian that the DICOM tests run against: dcmtk, Orthanc, pydicom. A missing one fails the test. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAssociation, readPart10Header, uids } from '../../firmware/dimse/index.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { realClock } from '../fakes/real-clock.ts';

/** Real objects of many transfer syntaxes and character sets, installed with python3-pydicom. */
export const pydicomFiles = '/usr/lib/python3/dist-packages/pydicom/data/test_files';
export const pydicomCharsetFiles = '/usr/lib/python3/dist-packages/pydicom/data/charset_files';

/** dcmtk otherwise waits 40 ms per object for a delayed ACK. */
const withoutNagle = { ...process.env, TCP_NODELAY: '1' };

export interface Finished {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a program to its end; `input` is its standard input. */
export async function runTool(command: string, args: readonly string[], input = ''): Promise<Finished> {
  const child = spawn(command, args, { env: withoutNagle });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

/** Runs a Python program with pydicom that prints JSON. */
export async function runPython(program: string, args: readonly string[]): Promise<unknown> {
  const { code, output } = await runTool('/usr/bin/python3', ['-W', 'ignore', '-c', program, ...args]);
  assert.equal(code, 0, output);
  return JSON.parse(output.trim().split('\n').at(-1) ?? '');
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert(address !== null && typeof address === 'object');
  server.close();
  await once(server, 'close');
  return address.port;
}

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'hilum-dimse-'));
}

/** A server of ours to stop and a folder to remove after a test. */
export class Peer {
  readonly port: number;
  readonly folder: string;
  readonly #child: ChildProcess;

  constructor(port: number, folder: string, child: ChildProcess) {
    this.port = port;
    this.folder = folder;
    this.#child = child;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGTERM');
      await once(this.#child, 'exit');
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** dcmtk's storescp, which takes every transfer syntax and writes what it receives bit for bit. */
export async function startStorescp(args: readonly string[] = [], atPort?: number): Promise<Peer> {
  const folder = await temporaryFolder();
  const port = atPort ?? (await freePort());
  const child = spawn('storescp', ['+xa', '+B', '-pm', '+uf', '-od', folder, ...args, String(port)], {
    stdio: 'ignore',
    env: withoutNagle,
  });
  await once(child, 'spawn');
  await listening(port, child);
  return new Peer(port, folder, child);
}

/** An Orthanc of its own, with a DICOM and an HTTP port on 127.0.0.1. */
export async function startOrthanc(
  settings: Record<string, unknown> = {},
): Promise<Peer & { readonly http: string }> {
  const folder = await temporaryFolder();
  const port = await freePort();
  const httpPort = await freePort();
  const configuration = {
    Name: 'Test',
    StorageDirectory: folder,
    IndexDirectory: folder,
    HttpPort: httpPort,
    DicomPort: port,
    DicomAet: 'ORTHANC',
    DicomCheckCalledAet: true,
    RemoteAccessAllowed: false,
    AuthenticationEnabled: false,
    Plugins: [],
    ...settings,
  };
  const path = join(folder, 'orthanc.json');
  await writeFile(path, JSON.stringify(configuration));
  const child = spawn('Orthanc', [path], { stdio: 'ignore', env: withoutNagle });
  await once(child, 'spawn');
  await listening(port, child);
  return Object.assign(new Peer(port, folder, child), { http: `http://127.0.0.1:${httpPort}` });
}

/** Waits until the port takes connections. */
export async function listening(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    assert(child.exitCode === null, 'the peer ended before it listened');
    try {
      const association = await openAssociation({
        host: '127.0.0.1',
        port,
        callingAeTitle: 'PROBE',
        calledAeTitle: 'PROBE',
        contexts: [
          { abstractSyntax: uids.verificationSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
        ],
        clock: realClock,
      });
      await association.release();
      return;
    } catch (error) {
      assert(error instanceof AppError, String(error));
      // Anything but a refused connection was said by the peer itself.
      if (!error.message.includes('ECONNREFUSED')) return;
      await realClock.sleep(20);
    }
  }
}

/** A file's data set, and what its group 0002 says. */
export async function readDicomFile(path: string): Promise<
  | {
      readonly kind: 'object';
      readonly sopClassUid: string;
      readonly sopInstanceUid: string;
      readonly transferSyntaxUid: string;
      readonly dataSet: Uint8Array;
    }
  | { readonly kind: 'none' }
> {
  const bytes = await readFile(path);
  const header = readPart10Header(bytes);
  if (header.kind !== 'complete') return { kind: 'none' };
  return { kind: 'object', ...header.meta, dataSet: bytes.subarray(header.dataSetOffset) };
}

/** Every file below a folder, in order. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** In pieces of this many bytes. */
export async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += pieceBytes)
    yield bytes.subarray(offset, offset + pieceBytes);
}
