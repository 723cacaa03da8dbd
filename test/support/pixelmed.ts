/** PixelMed, a DICOM toolkit in Java: its command lines as SCU, and its server as archive. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, listening, Peer, runTool, temporaryFolder } from './dimse-tools.ts';

/** Its manifest names what it needs beside it. Serial collection and the first compiler only: it starts in half the time. */
const java = [
  ...['-Djava.awt.headless=true', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
  ...['-cp', '/usr/share/java/pixelmed.jar'],
];

/**
 * Its command lines. That of GetSOPClassSCU is not among them: it proposes every storage SOP class in several contexts,
 * which are more than an association has, and fails before it connects.
 */
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
