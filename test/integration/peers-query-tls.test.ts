/** Query/Retrieve over TLS with mutual authentication: workstations of others against the box, and the box at an archive. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { archiveScu } from '../../firmware/dimse/index.ts';
import { realClock } from '../fakes/real-clock.ts';
import { archiveAeTitle, ArchiveBox } from '../support/archive-box.ts';
import { CertificateAuthority } from '../support/certificate-authority.ts';
import { makeScp, MemoryStore } from '../support/dimse-peer.ts';
import {
  filesBelow,
  freePort,
  type Peer,
  pydicomFiles,
  readDicomFile,
  runPython,
  runTool,
  startOrthanc,
  startStorescp,
  temporaryFolder,
} from '../support/dimse-tools.ts';
import { MutualTls } from '../support/mutual-tls.ts';

const options = { timeout: 120_000 };

let folder = '';
let tls: MutualTls;
/** Its DICOM is TLS in both directions. */
let orthanc: Peer & { readonly http: string };
let box: ArchiveBox;
/** What the box holds, as instance, transfer syntax and digest. */
let expected: readonly string[] = [];
/** Where Orthanc sends to us by C-MOVE. */
let returnPort = 0;

const stops: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const stop of stops.reverse()) await stop();
});

const ends = (port: number): string[] => ['-aec', archiveAeTitle, '127.0.0.1', String(port)];

/** Uncompressed ones: any peer sends them as they are. */
const paths = ['CT_small.dcm', 'MR_small.dcm', 'reportsi.dcm', 'waveform_ecg.dcm'].map((name) =>
  join(pydicomFiles, name),
);

interface Held {
  readonly study: string;
  readonly series: string;
  readonly instance: string;
  readonly patientId: string;
  readonly modality: string;
  readonly date: string;
}
let held: readonly Held[] = [];

const readHeld = `
import json, sys, pydicom
print(json.dumps([dict(study=str(d.StudyInstanceUID), series=str(d.SeriesInstanceUID), instance=str(d.SOPInstanceUID),
  patientId=str(d.PatientID), modality=str(d.Modality), date=str(d.StudyDate)) for d in map(pydicom.dcmread, sys.argv[1:])]))
`;

before(async () => {
  folder = await temporaryFolder();
  stops.push(() => rm(folder, { recursive: true, force: true }));
  tls = await MutualTls.make();
  stops.push(() => tls.remove());
  returnPort = await freePort();
  orthanc = await startOrthanc({
    ...tls.orthancSettings,
    DicomAlwaysAllowStore: true,
    DicomAlwaysAllowFind: true,
    DicomAlwaysAllowMove: true,
    DicomModalities: {
      back: { AET: archiveAeTitle, Host: '127.0.0.1', Port: returnPort, UseDicomTls: true },
    },
  });
  stops.push(() => orthanc.stop());
  const orthancOverTls = { name: 'orthanc', aeTitle: 'ORTHANC', port: orthanc.port, tls: true };
  box = await ArchiveBox.open([orthancOverTls], tls.boxFiles);
  stops.push(() => box.stop());
  // dcmsend writes data sets anew: what the box holds is what a storescp gets from it.
  const reference = await startStorescp();
  stops.push(() => reference.stop());
  for (const port of [box.port, reference.port]) {
    const { code, output } = await runTool('dcmsend', ['-nuc', ...ends(port), ...paths]);
    assert.equal(code, 0, output);
  }
  expected = await linesBelow(reference.folder);
  assert.equal(expected.length, paths.length);
  held = (await runPython(readHeld, paths)) as readonly Held[];
});

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function lineOf(path: string): Promise<string> {
  const object = await readDicomFile(path);
  assert.ok(object.kind === 'object', path);
  return `${object.sopInstanceUid} ${object.transferSyntaxUid} ${sha256(object.dataSet)}`;
}

const linesBelow = async (path: string): Promise<string[]> =>
  (await Promise.all((await filesBelow(path)).map(lineOf))).sort();

async function emptyFolder(t: TestContext): Promise<string> {
  const made = await temporaryFolder();
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}

test('findscu lists the studies over TLS; without TLS, or a certificate, nothing', options, async (t) => {
  const answers = await emptyFolder(t);
  const keys = ['-S', '-k', '0008,0052=STUDY', '-k', '0020,000d', '-k', '0010,0020'];
  const found = await runTool('findscu', [
    ...tls.dcmtkOptions,
    '-X',
    '-od',
    answers,
    ...keys,
    ...ends(box.tlsPort),
  ]);
  assert.equal(found.code, 0, found.output);
  const rows = (await runPython(
    `import json, sys, pydicom
print(json.dumps([[str(d.StudyInstanceUID), str(d.PatientID)] for d in map(pydicom.dcmread, sys.argv[1:])]))`,
    await filesBelow(answers),
  )) as string[][];
  assert.deepEqual(rows.sort(), held.map(({ study, patientId }) => [study, patientId]).sort());
  for (const anonymous of [[], ['+tla', '-ic']]) {
    const refused = await runTool('findscu', [
      '-to',
      '5',
      '-ta',
      '5',
      ...anonymous,
      ...keys,
      ...ends(box.tlsPort),
    ]);
    assert.notEqual(refused.code, 0, refused.output);
  }
});

async function ask(path: string, init?: RequestInit): Promise<unknown> {
  const response = await fetch(`${orthanc.http}${path}`, init);
  const text = await response.text();
  assert.ok(response.ok, `${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

const post = (body: unknown): RequestInit => ({
  method: 'POST',
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

/** What Orthanc holds, by SOP Instance UID. */
async function orthancsInstances(): Promise<string[]> {
  const ids = (await ask('/instances')) as readonly string[];
  const read = async (id: string): Promise<string> => {
    const file = await fetch(`${orthanc.http}/instances/${id}/file`);
    const path = join(folder, `${id}.dcm`);
    await writeFile(path, new Uint8Array(await file.arrayBuffer()));
    return lineOf(path);
  };
  return (await Promise.all(ids.map(read))).sort();
}

test('Orthanc finds over TLS, and has the box send it over TLS what it found', options, async () => {
  const modality = { AET: archiveAeTitle, Host: '127.0.0.1', Port: box.tlsPort, UseDicomTls: true };
  const put = await fetch(`${orthanc.http}/modalities/box`, {
    method: 'PUT',
    body: JSON.stringify(modality),
  });
  assert.ok(put.ok);
  for (const { study, patientId } of held) {
    const query = { Level: 'Study', Query: { StudyInstanceUID: study, PatientID: '' } };
    const { ID: id } = (await ask('/modalities/box/query', post(query))) as { readonly ID: string };
    const content = await ask(`/queries/${id}/answers/0/content?simplify`);
    assert.equal((content as Readonly<Record<string, string>>)['PatientID'], patientId);
    await ask(`/queries/${id}/retrieve`, post('ORTHANC'));
  }
  assert.deepEqual(await orthancsInstances(), expected);
});

test('we find and move over TLS what Orthanc holds, and trust its authority only', options, async (t) => {
  for (const path of paths) await ask('/instances', { method: 'POST', body: await readFile(path) });
  const store = new MemoryStore();
  const server = makeScp(store.store, { tlsPort: returnPort });
  await server.start();
  t.after(() => server.stop());
  await server.useTls(tls.credentials);
  const peer = {
    ...{ host: '127.0.0.1', port: orthanc.port, clock: realClock },
    ...{ callingAeTitle: archiveAeTitle, calledAeTitle: 'ORTHANC' },
  };
  const archive = archiveScu(
    { ...peer, tls: { credentials: tls.credentials, checkName: true } },
    archiveAeTitle,
  );
  const { signal } = new AbortController();
  for (const { study, series, instance, patientId, modality, date } of held) {
    const listed = [];
    for await (const each of archive.studiesOf(date, signal)) listed.push(each);
    assert.ok(listed.some((each) => each.studyInstanceUid === study && each.patientId === patientId));
    const [found, ...others] = await archive.instancesOf(study, signal);
    assert.deepEqual(
      [found?.sopInstanceUid, found?.seriesInstanceUid, found?.modality, others],
      [instance, series, modality, []],
    );
    assert.deepEqual(await archive.move(study, signal), { completed: 1, failed: 0 });
    assert.equal(store.kept.at(-1)?.request.sopInstanceUid, instance);
  }
  const [first] = held;
  assert.ok(first !== undefined);
  const stranger = await CertificateAuthority.make({ commonName: 'Stranger' });
  const distrusting = { credentials: { ...tls.credentials, ca: [stranger.certificate] }, checkName: true };
  for (const wrong of [{ tls: distrusting }, {}]) {
    const asked = archiveScu({ ...peer, ...wrong }, archiveAeTitle);
    await assert.rejects(asked.study(first.study, signal), { code: 'DELIVERY_FAILED' });
  }
});
