/** dcmtk's archive. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, listening, Peer, temporaryFolder } from './dimse-tools.ts';

/** Called ARCHIVE; sends by C-MOVE to the AE title at this port. Below its folder, its objects lie in `db`. */
export async function startDcmqrscp(moveDestination: {
  readonly aeTitle: string;
  readonly port: number;
}): Promise<Peer> {
  const folder = await temporaryFolder();
  const port = await freePort();
  await mkdir(join(folder, 'db'));
  const configuration = join(folder, 'dcmqrscp.cfg');
  await writeFile(
    configuration,
    `NetworkTCPPort = ${port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
dest = (${moveDestination.aeTitle}, 127.0.0.1, ${moveDestination.port})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
ARCHIVE ${join(folder, 'db')} RW (9, 1024mb) ANY
AETable END
`,
  );
  const child = spawn('dcmqrscp', ['-c', configuration], {
    stdio: 'ignore',
    env: { ...process.env, TCP_NODELAY: '1' },
  });
  await once(child, 'spawn');
  await listening(port, child);
  return new Peer(port, folder, child);
}
