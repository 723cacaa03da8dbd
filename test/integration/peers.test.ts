/** Peers against what a box does between socket and disk, plain and over TLS, and our requestor against theirs over TLS. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { openAssociation, uids } from '../../firmware/dimse/index.ts';
import { realClock } from '../fakes/real-clock.ts';
import {
  filesBelow,
  inPieces,
  pydicomCharsetFiles,
  pydicomFiles,
  readDicomFile,
  runTool,
  startOrthanc,
  startStorescp,
  temporaryFolder,
} from '../support/dimse-tools.ts';
import { MutualTls } from '../support/mutual-tls.ts';
import { receivingAeTitle, ReceivingBox } from '../support/receiving-box.ts';

const options = { timeout: 180_000 };
const running: { readonly stop: () => Promise<unknown> }[] = [];
const ct = join(pydicomFiles, 'CT_small.dcm');

let tls: MutualTls;

before(async () => {
  tls = await MutualTls.make();
});

after(() => tls.remove());

afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

interface Reached {
  readonly box: ReceivingBox;
  readonly port: number;
  readonly tlsPort: number;
}

async function startBox(): Promise<Reached> {
  const boxFolder = await temporaryFolder();
  const box = await ReceivingBox.open({ folder: boxFolder, boxKey: randomBytes(32) });
  running.push({
    stop: async () => {
      await box.close();
      await rm(boxFolder, { recursive: true, force: true });
    },
  });
  const port = await box.listen();
  return { box, port, tlsPort: await box.listenTls(tls.credentials) };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What the box has on its disk, in studies and in quarantine, by UID and digest; what came twice stands once. */
async function keptBy(box: ReceivingBox): Promise<string[]> {
  const all = [...(await box.objects()), ...box.quarantined()];
  return [...new Set(all.map((each) => each.join(' ')))].sort();
}

async function writtenTo(path: string): Promise<string[]> {
  const lines = new Set<string>();
  for (const file of await filesBelow(path)) {
    const object = await readDicomFile(file);
    assert(object.kind === 'object', file);
    lines.add(`${object.sopInstanceUid} ${sha256(object.dataSet)}`);
  }
  return [...lines].sort();
}

const everything = [pydicomFiles, pydicomCharsetFiles];

test('every file that dcmsend sends lies on the disk bit for bit', options, async () => {
  const { box, port } = await startBox();
  const storescp = await startStorescp();
  running.push(storescp);
  const args = ['-nh', '--decompress-never', '+sd', '+r', '-nuc', '-aec', receivingAeTitle, '127.0.0.1'];
  for (const each of [port, storescp.port]) await runTool('dcmsend', [...args, String(each), ...everything]);
  const expected = await writtenTo(storescp.folder);
  assert(expected.length > 80, `${expected.length} objects`);
  assert.deepEqual(await keptBy(box), expected);
});

test('every file that storescu sends over TLS lies on the disk bit for bit', options, async () => {
  const { box, tlsPort } = await startBox();
  const storescp = await startStorescp();
  running.push(storescp);
  const args = ['-nh', '+sd', '+r', '-aec', receivingAeTitle, '127.0.0.1'];
  await runTool('storescu', [...tls.dcmtkOptions, ...args, String(tlsPort), ...everything]);
  await runTool('storescu', [...args, String(storescp.port), ...everything]);
  const expected = await writtenTo(storescp.folder);
  assert(expected.length > 20, `${expected.length} objects`);
  assert.deepEqual(await keptBy(box), expected);
});

test('Orthanc echoes and stores over TLS, in both directions', options, async () => {
  const secure = await startBox();
  const plain = await startBox();
  const orthanc = await startOrthanc({
    ...tls.orthancSettings,
    DicomAlwaysAllowStore: true,
    DicomModalities: {
      secure: { AET: receivingAeTitle, Host: '127.0.0.1', Port: secure.tlsPort, UseDicomTls: true },
      plain: { AET: receivingAeTitle, Host: '127.0.0.1', Port: plain.port },
    },
  });
  running.push(orthanc);
  const post = async (path: string, body: string | Uint8Array<ArrayBuffer>): Promise<unknown> => {
    const answer = await fetch(`${orthanc.http}${path}`, { method: 'POST', body });
    assert(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
    return answer.json();
  };
  const { ID } = (await post('/instances', new Uint8Array(await readFile(ct)))) as { readonly ID: string };
  for (const modality of ['secure', 'plain']) {
    await post(`/modalities/${modality}/echo`, '{}');
    await post(`/modalities/${modality}/store`, JSON.stringify([ID]));
  }
  // Orthanc writes an object anew before it sends it: what comes over TLS must be what comes without.
  const kept = await keptBy(secure.box);
  assert.equal(kept.length, 1);
  assert.deepEqual(kept, await keptBy(plain.box));

  const mr = await readDicomFile(join(pydicomFiles, 'MR_small.dcm'));
  assert(mr.kind === 'object');
  const association = await openAssociation({
    host: '127.0.0.1',
    port: orthanc.port,
    callingAeTitle: receivingAeTitle,
    calledAeTitle: 'ORTHANC',
    contexts: [
      { abstractSyntax: uids.verificationSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
      { abstractSyntax: mr.sopClassUid, transferSyntaxes: [mr.transferSyntaxUid] },
    ],
    clock: realClock,
    tls: { credentials: tls.credentials, checkName: true },
  });
  assert.equal((await association.echo()).status, 0);
  assert.equal((await association.store(mr, inPieces(mr.dataSet, 65_536))).status, 0);
  await association.release();
  const instances = (await (await fetch(`${orthanc.http}/instances`)).json()) as readonly string[];
  assert.equal(instances.length, 2);
});

test('odil and gdcmscu store', options, async () => {
  const { box, port } = await startBox();
  const odil = ['127.0.0.1', String(port), 'ODIL', receivingAeTitle];
  for (const args of [
    ['echo', ...odil],
    ['store', ...odil, ct],
  ]) {
    const { code, output } = await runTool('odil', args);
    assert.equal(code, 0, output);
  }
  // Debian's gdcmscu crashes at the end of every association, with dcmtk too: what it sent until then counts.
  const mr = join(pydicomFiles, 'MR_small.dcm');
  const gdcm = ['--aetitle', 'GDCM', '--call', receivingAeTitle, '127.0.0.1', String(port)];
  const { output } = await runTool('gdcmscu', ['--store', ...gdcm, mr]);
  const kept = (await box.objects()).map(([uid]) => uid).sort();
  const expected: string[] = [];
  for (const path of [ct, mr]) {
    const object = await readDicomFile(path);
    assert(object.kind === 'object');
    expected.push(object.sopInstanceUid);
  }
  assert.deepEqual(kept, expected.sort(), output);
});
