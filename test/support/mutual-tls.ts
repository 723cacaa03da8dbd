/** Certificates of a box and of a peer under one authority, as files, and a tunnel for peers that have no TLS. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TlsCredentials } from '../../firmware/dimse/index.ts';
import type { TlsFiles } from './archive-box.ts';
import { CertificateAuthority } from './certificate-authority.ts';
import { freePort, listening, Peer, temporaryFolder } from './dimse-tools.ts';

const boxName = 'box';
const peerName = 'peer';

export class MutualTls {
  /** What the box shows, and whom it trusts. */
  readonly credentials: TlsCredentials;
  readonly #folder: string;

  private constructor(folder: string, credentials: TlsCredentials) {
    this.#folder = folder;
    this.credentials = credentials;
  }

  static async make(): Promise<MutualTls> {
    const folder = await temporaryFolder();
    const authority = await CertificateAuthority.make();
    const box = await authority.issue({ commonName: boxName });
    const peer = await authority.issue({ commonName: peerName });
    const files = {
      'ca.pem': authority.certificate,
      ...{ 'box.pem': box.certificate, 'box.key': box.key },
      ...{ 'peer.pem': peer.certificate, 'peer.key': peer.key },
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return new MutualTls(folder, { ...box, ca: [authority.certificate] });
  }

  /** For the configuration of a box. */
  get boxFiles(): TlsFiles {
    return {
      certificateFile: this.#path('box.pem'),
      keyFile: this.#path('box.key'),
      caFiles: [this.#path('ca.pem')],
    };
  }

  /** For dcmtk's programs. */
  get dcmtkOptions(): string[] {
    return ['+tls', this.#path('peer.key'), this.#path('peer.pem'), '+cf', this.#path('ca.pem')];
  }

  /** For Orthanc, which then speaks TLS on its DICOM port, and with modalities that say so. */
  get orthancSettings(): Readonly<Record<string, unknown>> {
    return {
      DicomTlsEnabled: true,
      DicomTlsCertificate: this.#path('peer.pem'),
      DicomTlsPrivateKey: this.#path('peer.key'),
      DicomTlsTrustedCertificates: this.#path('ca.pem'),
    };
  }

  /** Before a TLS port of the box: what a hospital puts before a modality that has no TLS. */
  async tunnelTo(tlsPort: number): Promise<Peer> {
    return this.#socat(
      (port) => `TCP-LISTEN:${port},bind=127.0.0.1,fork`,
      `OPENSSL:127.0.0.1:${tlsPort},${this.#socatOptions(boxName)}`,
    );
  }

  /** Before the port of an archive that has no TLS. */
  async tunnelFrom(plainPort: number): Promise<Peer> {
    return this.#socat(
      (port) => `OPENSSL-LISTEN:${port},bind=127.0.0.1,fork,${this.#socatOptions(boxName)}`,
      `TCP:127.0.0.1:${plainPort}`,
    );
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  /** It shows the peer's certificate, and takes that of this name. */
  #socatOptions(commonName: string): string {
    const own = `cert=${this.#path('peer.pem')},key=${this.#path('peer.key')}`;
    return `${own},cafile=${this.#path('ca.pem')},verify=1,commonname=${commonName}`;
  }

  async #socat(from: (port: number) => string, to: string): Promise<Peer> {
    const port = await freePort();
    const child = spawn('socat', [from(port), to], { stdio: 'ignore' });
    await once(child, 'spawn');
    await listening(port, child);
    return new Peer(port, await temporaryFolder(), child);
  }
}
