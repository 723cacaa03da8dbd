/** PixelMed, a DICOM toolkit in Java: its command lines as SCU, and its server as archive. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, listening, Peer, runTool, temporaryFolder } from './dimse-tools.ts';

/** Its manifest names what it needs beside it. Serial collection and the first compiler only: it starts in half the time. */
const java = [
  ...['-Djava.awt.headless=true', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
  ...['-cp', '/usr/share/java/pixelmed.jar'],
];

/** Its command lines. That of GetSOPClassSCU is not among them: see `pixelMedGet`. */
export type PixelMedScu =
  'VerificationSOPClassSCU' | 'StorageSOPClassSCU' | 'FindSOPClassSCU' | 'MoveSOPClassSCU';

export interface PixelMedEnds {
  readonly port: number;
  readonly calledAeTitle: string;
  readonly callingAeTitle: string;
}

/** What it prints: its exit status is 0 after a failure too. */
export async function pixelMed(
  scu: PixelMedScu,
  { port, calledAeTitle, callingAeTitle }: PixelMedEnds,
  args: readonly string[],
  input = '',
): Promise<string> {
  // The called one comes first, whatever VerificationSOPClassSCU says of its usage.
  const ends = ['127.0.0.1', String(port), calledAeTitle, callingAeTitle];
  const { output } = await runTool('java', [...java, `com.pixelmed.network.${scu}`, ...ends, ...args], input);
  return output;
}

/** The same class for C-GET, by a program of ours, which Java compiles as it starts. */
const getStudy = fileURLToPath(new URL('pixelmed/get-study.java', import.meta.url));

/**
 * Gets a study by C-GET into a folder. PixelMed's own command line for it proposes every storage SOP class in several
 * contexts, which are more than an association has, and fails before it connects.
 */
export async function pixelMedGet(
  { port, calledAeTitle, callingAeTitle }: PixelMedEnds,
  studyInstanceUid: string,
  folder: string,
  storageSopClasses: readonly string[],
): Promise<string> {
  const ends = [String(port), calledAeTitle, callingAeTitle];
  const args = [...ends, studyInstanceUid, folder, ...storageSopClasses];
  const { code, output } = await runTool('java', [...java, getStudy, ...args]);
  assert.equal(code, 0, output);
  return output;
}

/** Its storage server with TLS of its own, and a new certificate that nobody knows. */
export async function startPixelMedTls(): Promise<Peer> {
  const folder = await temporaryFolder();
  const port = await freePort();
  const [keyStore, password] = [join(folder, 'keys.p12'), 'only-for-this-test'];
  const key = ['-genkeypair', '-alias', 'pixelmed', '-keyalg', 'RSA', '-dname', 'CN=pixelmed'];
  const stored = ['-storetype', 'PKCS12', '-keystore', keyStore, '-storepass', password];
  const made = await runTool('keytool', [...key, ...stored]);
  assert.equal(made.code, 0, made.output);
  const shown = [`-Djavax.net.ssl.keyStore=${keyStore}`, `-Djavax.net.ssl.keyStorePassword=${password}`];
  const server = ['com.pixelmed.network.StorageSOPClassSCPDispatcher', String(port), pixelMedAeTitle];
  const child = spawn('java', [...shown, ...java, ...server, folder, 'SECURE'], { stdio: 'ignore' });
  await once(child, 'spawn');
  await listening(port, child);
  return new Peer(port, folder, child);
}

export const pixelMedAeTitle = 'PIXELMED';

/** Its server: storage, find and move over a database of its own. `folder` holds what it received in `images`. */
export async function startPixelMed(moveDestination: {
  readonly aeTitle: string;
  readonly port: number;
}): Promise<Peer> {
  const folder = await temporaryFolder();
  const [port, webPort] = [await freePort(), await freePort()];
  await mkdir(join(folder, 'images'));
  const settings = {
    'Dicom.ListeningPort': port,
    'Dicom.CalledAETitle': pixelMedAeTitle,
    'Dicom.CallingAETitle': pixelMedAeTitle,
    'Dicom.RemoteAEs': 'destination',
    'Dicom.RemoteAEs.destination.CalledAETitle': moveDestination.aeTitle,
    'Dicom.RemoteAEs.destination.HostNameOrIPAddress': '127.0.0.1',
    'Dicom.RemoteAEs.destination.Port': moveDestination.port,
    'Application.SavedImagesFolderName': join(folder, 'images'),
    'Application.DatabaseFileName': join(folder, 'database'),
    'WebServer.ListeningPort': webPort,
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${String(value)}`);
  const path = join(folder, 'server.properties');
  await writeFile(path, lines.join('\n'));
  const child = spawn('java', [...java, 'com.pixelmed.server.DicomAndWebStorageServer', path], {
    stdio: 'ignore',
    cwd: folder,
  });
  await once(child, 'spawn');
  await listening(port, child);
  return new Peer(port, folder, child);
}
