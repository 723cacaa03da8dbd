/**
 * Peers that have no TLS of their own, or one that the box refuses (PixelMed's, see peers-pixelmed.test.ts), behind socat, as a modality
 * or an archive without TLS stands in a hospital: every service that they have, with the box's side over mutual TLS.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { archiveScu, openAssociation } from '../../firmware/dimse/index.ts';
import { workflowScu } from '../../firmware/src/box/workflow-scu.ts';
import { realClock } from '../fakes/real-clock.ts';
import { archiveAeTitle, ArchiveBox } from '../support/archive-box.ts';
import { startDcmqrscp } from '../support/dcmqrscp.ts';
import { makeScp, MemoryStore } from '../support/dimse-peer.ts';
import {
  filesBelow,
  inPieces,
  type Peer,
  pydicomFiles,
  readDicomFile,
  runTool,
  startStorescp,
  temporaryFolder,
} from '../support/dimse-tools.ts';
import { MutualTls } from '../support/mutual-tls.ts';
import { OdilScp } from '../support/odil-peer.ts';
import { pixelMed, pixelMedAeTitle, pixelMedGet, startPixelMed } from '../support/pixelmed.ts';

const options = { timeout: 120_000 };

const stops: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const stop of stops.reverse()) await stop();
});

let tls: MutualTls;
let box: ArchiveBox;
let storescp: Peer;
let tunnel: Peer;

const ct = join(pydicomFiles, 'CT_small.dcm');
const mr = join(pydicomFiles, 'MR_small.dcm');
const ctStudy = '1.3.6.1.4.1.5962.1.2.1.20040119072730.12322';
const ends = (): string[] => ['-aec', archiveAeTitle, '127.0.0.1', String(tunnel.port)];

before(async () => {
  tls = await MutualTls.make();
  stops.push(() => tls.remove());
  storescp = await startStorescp();
  stops.push(() => storescp.stop());
  const there = await tls.tunnelFrom(storescp.port);
  stops.push(() => there.stop());
  const destination = { name: 'storescp', aeTitle: 'STORESCP', port: there.port, tls: true };
  box = await ArchiveBox.open([destination], tls.boxFiles);
  stops.push(() => box.stop());
  tunnel = await tls.tunnelTo(box.tlsPort);
  stops.push(() => tunnel.stop());
  const { code, output } = await runTool('storescu', [...ends(), ct]);
  assert.equal(code, 0, output);
});

interface DicomObject {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  readonly dataSet: Uint8Array;
}

async function objectOf(path: string): Promise<DicomObject> {
  const object = await readDicomFile(path);
  assert.ok(object.kind === 'object', path);
  return object;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function emptyFolder(t: TestContext): Promise<string> {
  const made = await temporaryFolder();
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}

const keys = ['-k', '0008,0052=STUDY', '-k', `0020,000d=${ctStudy}`];

test('movescu and getscu', options, async (t) => {
  const move = await runTool('movescu', ['-v', '-S', '-aem', 'STORESCP', ...keys, ...ends()]);
  assert.match(move.output, /Received Final Move Response \(Success\)/);
  const folder = await emptyFolder(t);
  const get = await runTool('getscu', ['-v', '-S', '+B', '-od', folder, ...keys, ...ends()]);
  assert.equal(get.code, 0, get.output);
  // storescu writes the data set anew: the two are compared with each other.
  const [byMove, ...others] = await filesBelow(storescp.folder);
  const [byGet, ...more] = await filesBelow(folder);
  assert.ok(byMove !== undefined && byGet !== undefined && others.length + more.length === 0);
  const [moved, got] = [await objectOf(byMove), await objectOf(byGet)];
  assert.equal(moved.sopInstanceUid, (await objectOf(ct)).sopInstanceUid);
  assert.equal(sha256(moved.dataSet), sha256(got.dataSet));
});

test('odil echoes, stores, finds and gets', options, async (t) => {
  const folder = await emptyFolder(t);
  const odil = ['127.0.0.1', String(tunnel.port), 'ODIL', archiveAeTitle];
  const study = ['study', 'QueryRetrieveLevel=STUDY', `StudyInstanceUID=${ctStudy}`];
  const outputs: string[] = [];
  for (const args of [
    ['echo', ...odil],
    ['store', ...odil, mr],
    ['find', ...odil, ...study, 'PatientName'],
    ['get', '-d', folder, ...odil, ...study],
  ]) {
    const { code, output } = await runTool('odil', args);
    assert.equal(code, 0, output);
    outputs.push(output);
  }
  const [, , found = '', got = ''] = outputs;
  assert.ok(box.held().includes((await objectOf(mr)).sopInstanceUid));
  assert.match(found, /1 answer/);
  assert.match(got, /Completed: 1, remaining: 0, failed: 0, warning: 0/);
});

test('gdcmscu stores, PixelMed stores and gets', options, async (t) => {
  const [liver, report] = ['liver_1frame.dcm', 'reportsi.dcm'].map((name) => join(pydicomFiles, name)) as [
    string,
    string,
  ];
  const gdcm = ['--aetitle', 'GDCM', '--call', archiveAeTitle, '127.0.0.1', String(tunnel.port)];
  // Debian's gdcmscu crashes at the end of every association, with dcmtk too: what it sent until then counts.
  const { output } = await runTool('gdcmscu', ['--store', ...gdcm, liver]);
  const scp = { port: tunnel.port, calledAeTitle: archiveAeTitle, callingAeTitle: pixelMedAeTitle };
  const said = await pixelMed('StorageSOPClassSCU', scp, [report, '0']);
  for (const path of [liver, report])
    assert.ok(box.held().includes((await objectOf(path)).sopInstanceUid), `${output}\n${said}`);
  const folder = await emptyFolder(t);
  const { sopClassUid, sopInstanceUid } = await objectOf(ct);
  const gotten = await pixelMedGet(scp, ctStudy, folder, [sopClassUid]);
  const [got, ...more] = await filesBelow(folder);
  assert.ok(got !== undefined && more.length === 0, gotten);
  assert.equal((await objectOf(got)).sopInstanceUid, sopInstanceUid);
});

test('our store, find and move with dcmqrscp and PixelMed', options, async (t) => {
  const store = new MemoryStore();
  const server = makeScp(store.store, { tlsPort: 0 });
  await server.start();
  t.after(() => server.stop());
  await server.useTls(tls.credentials);
  assert.ok(server.tlsPort !== undefined);
  const back = await tls.tunnelTo(server.tlsPort);
  t.after(() => back.stop());
  const object = await objectOf(ct);
  const moveDestination = { aeTitle: archiveAeTitle, port: back.port };
  for (const [calledAeTitle, start] of [
    ['ARCHIVE', startDcmqrscp],
    [pixelMedAeTitle, startPixelMed],
  ] as const) {
    const archive = await start(moveDestination);
    t.after(() => archive.stop());
    const there = await tls.tunnelFrom(archive.port);
    t.after(() => there.stop());
    const peer = {
      ...{ host: '127.0.0.1', port: there.port, clock: realClock },
      ...{ callingAeTitle: archiveAeTitle, calledAeTitle },
      tls: { credentials: tls.credentials, checkName: true },
    };
    const association = await openAssociation({
      ...peer,
      contexts: [{ abstractSyntax: object.sopClassUid, transferSyntaxes: [object.transferSyntaxUid] }],
    });
    assert.equal((await association.store(object, inPieces(object.dataSet, 4096))).status, 0);
    await association.release();
    const scu = archiveScu(peer, archiveAeTitle);
    const { signal } = new AbortController();
    // PixelMed answers a C-STORE before its database has the object.
    while ((await scu.study(ctStudy, signal)) === undefined) await realClock.sleep(20);
    assert.deepEqual(await scu.move(ctStudy, signal), { completed: 1, failed: 0 });
    assert.equal(store.kept.at(-1)?.request.callingAeTitle, calledAeTitle);
  }
  assert.equal(store.kept.length, 2);
});

test('our notification to odil', options, async (t) => {
  const archive = await OdilScp.start();
  t.after(() => archive.stop());
  const there = await tls.tunnelFrom(archive.port);
  t.after(() => there.stop());
  await archive.ready();
  const scu = workflowScu({
    ...{ host: '127.0.0.1', port: there.port, clock: realClock },
    ...{ callingAeTitle: 'HILUM', calledAeTitle: 'ARCHIVE' },
    tls: { credentials: tls.credentials, checkName: true },
  });
  const { signal } = new AbortController();
  assert.equal(await scu.notify({ studyInstanceUid: '1.2.3', series: [] }, signal), 0);
});
