/** A real box with DICOM over TLS, and dcmtk's echoscu: who may with which certificate, and renewal without a restart. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { waitFor } from '../../provisioning/demo/waiting.ts';
import { boxAeTitle } from '../../provisioning/demo/hospitals.ts';
import { CertificateAuthority, type IssuedCertificate } from '../support/certificate-authority.ts';
import { freePorts } from '../support/free-ports.ts';
import { runTool } from '../support/dimse-tools.ts';
import { fileCleanups } from '../support/file-cleanups.ts';
import { LoneBox } from '../support/lone-box.ts';

/** Files of one side, below the box's folder. */
class Files {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  async put(name: string, { certificate, key }: IssuedCertificate): Promise<void> {
    await writeFile(this.path(`${name}.pem`), certificate);
    await writeFile(this.path(`${name}.key`), key);
  }
}

test('a certificate admits, another does not, and the box’s own is renewed while it runs', async () => {
  const authority = await CertificateAuthority.make();
  const stranger = await CertificateAuthority.make({ commonName: 'Another authority' });
  const box = await LoneBox.make(fileCleanups, 'harrowmere');
  const files = new Files(box.folder);
  await mkdir(box.folder, { recursive: true });
  await writeFile(files.path('ca.pem'), authority.certificate);
  await files.put('box', await authority.issue({ commonName: 'box.example' }));
  await files.put('ct1', await authority.issue({ commonName: 'ct1.example' }));
  await files.put('mr1', await authority.issue({ commonName: 'mr1.example' }));
  await files.put('forged', await stranger.issue({ commonName: 'ct1.example' }));
  const [tlsPort] = (await freePorts(1)) as [number];
  const { dicom: port } = box.process.hospital.ports;
  await box.configure({
    dicom: {
      host: '127.0.0.1',
      port,
      aeTitle: boxAeTitle,
      callers: [{ aeTitle: 'CT1', certificates: ['CN=ct1.example'] }],
      tls: { port: tlsPort, certificateFile: 'box.pem', keyFile: 'box.key', caFiles: ['ca.pem'] },
    },
  });
  const console = await box.startFirst();
  const echoOverTls = async (name: string): Promise<string> => {
    const tls = ['+tls', files.path(`${name}.key`), files.path(`${name}.pem`), '+cf', files.path('ca.pem')];
    const peer = ['-aet', 'CT1', '-aec', boxAeTitle, '127.0.0.1', String(tlsPort)];
    const { code, output } = await runTool('echoscu', [...tls, ...peer]);
    return code === 0 ? '' : output;
  };
  assert.equal(await echoOverTls('ct1'), '');
  assert.match(await echoOverTls('mr1'), /Calling AE Title Not Recognized/);
  assert.notEqual(await echoOverTls('forged'), '', 'the authority counts, not the name');
  const plain = ['-aet', 'CT1', '-aec', boxAeTitle, '127.0.0.1', String(port)];
  assert.match((await runTool('echoscu', plain)).output, /Calling AE Title Not Recognized/);
  const { access } = await console.overview();
  const refusals = access.pending.map(({ ground, count, certificate }) => [ground, count, certificate]);
  // One row: the same title from the same address; its newest attempt came without a certificate.
  assert.deepEqual(refusals, [['certificate', 2, null]]);

  const shownSubject = async (): Promise<string> => {
    const credentials = await authority.issue();
    const socket = connect({
      host: '127.0.0.1',
      port: tlsPort,
      ca: authority.certificate,
      cert: credentials.certificate,
      key: credentials.key,
    });
    await once(socket, 'secureConnect');
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return String(subject.CN);
  };
  assert.equal(await shownSubject(), 'box.example');
  await files.put('box', await authority.issue({ commonName: 'renewed.example' }));
  await waitFor('the renewed certificate', 90, async () => {
    const { tls } = (await console.overview()).box.dicom;
    return tls?.subject === 'renewed.example' ? tls : undefined;
  });
  assert.equal(await shownSubject(), 'renewed.example');
  assert.equal(await echoOverTls('ct1'), '');

  await writeFile(files.path('box.key'), 'not a key');
  await waitFor('the alarm', 90, async () => {
    const { health } = await console.overview();
    return health.find(({ code }) => code === 'CERTIFICATE_INVALID');
  });
  assert.equal(await shownSubject(), 'renewed.example');
  assert.equal(await echoOverTls('ct1'), '', 'the last good set stays in use');
});
