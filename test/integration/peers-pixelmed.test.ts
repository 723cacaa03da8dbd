/**
 * PixelMed, an independent toolkit in Java, against the box: verification, storage, find and move both ways, get as SCU
 * (the box gets from nobody), and its own TLS, which the box refuses.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, test } from 'node:test';
import { archiveScu, openAssociation, uids } from '../../firmware/dimse/index.ts';
import { realClock } from '../fakes/real-clock.ts';
import { archiveAeTitle, ArchiveBox } from '../support/archive-box.ts';
import { makeScp, MemoryStore } from '../support/dimse-peer.ts';
import {
  filesBelow,
  freePort,
  inPieces,
  pydicomFiles,
  readDicomFile,
  runPython,
  runTool,
  startStorescp,
  temporaryFolder,
} from '../support/dimse-tools.ts';
import { MutualTls } from '../support/mutual-tls.ts';
import {
  pixelMed,
  pixelMedAeTitle,
  pixelMedGet,
  startPixelMed,
  startPixelMedTls,
} from '../support/pixelmed.ts';

const options = { timeout: 120_000 };
const running: { readonly stop: () => unknown }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

function stopping<Started extends { readonly stop: () => unknown }>(started: Started): Started {
  running.push(started);
  return started;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const file = (name: string): string => join(pydicomFiles, name);

async function objectOf(path: string): Promise<{
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  readonly dataSet: Uint8Array;
}> {
  const object = await readDicomFile(path);
  assert.ok(object.kind === 'object', path);
  return object;
}

/** As instance, transfer syntax and digest. */
async function lineOf(path: string): Promise<string> {
  const { sopInstanceUid, transferSyntaxUid, dataSet } = await objectOf(path);
  return `${sopInstanceUid} ${transferSyntaxUid} ${sha256(dataSet)}`;
}

const names = [
  ...['CT_small.dcm', 'MR_small_bigendian.dcm', 'MR_small_RLE.dcm', 'JPEG2000.dcm', 'rtplan.dcm'],
  ...['reportsi.dcm', 'waveform_ecg.dcm', 'SC_rgb_jpeg_gdcm.dcm'],
];

test('PixelMed echoes and stores: what arrives is what storescp +B gets, bit for bit', options, async () => {
  const store = new MemoryStore();
  const scp = stopping(makeScp(store.store));
  await scp.start();
  const storescp = stopping(await startStorescp());
  const callers = { calledAeTitle: archiveAeTitle, callingAeTitle: pixelMedAeTitle };
  const echoed = await pixelMed('VerificationSOPClassSCU', { ...callers, port: scp.port }, ['NONSECURE']);
  assert.match(echoed, /was successful/);
  const files = names.map(file);
  for (const { port } of [scp, storescp])
    await pixelMed('StorageSOPClassSCU', { ...callers, port }, ['-', '0'], `${files.join('\n')}\n`);
  const expected = await Promise.all((await filesBelow(storescp.folder)).map(lineOf));
  assert.equal(expected.length, files.length);
  const kept = store.kept.map(
    ({ request, bytes }) => `${request.sopInstanceUid} ${request.transferSyntaxUid} ${sha256(bytes)}`,
  );
  assert.deepEqual(kept.sort(), expected.sort());
});

interface Identity {
  readonly studyInstanceUid: string;
  readonly sopInstanceUid: string;
  readonly patientId: string;
}

const readIdentities = `
import json, sys, pydicom
print(json.dumps([dict(studyInstanceUid=str(d.StudyInstanceUID), sopInstanceUid=str(d.SOPInstanceUID),
  patientId=str(d.PatientID)) for d in map(pydicom.dcmread, sys.argv[1:])]))
`;

test('PixelMed keeps what we store, and as an archive lists it and sends it back', options, async () => {
  const store = new MemoryStore();
  const port = await freePort();
  const box = stopping(makeScp(store.store, { port }));
  await box.start();
  const pixelmed = stopping(await startPixelMed({ aeTitle: archiveAeTitle, port }));
  const peer = {
    ...{ host: '127.0.0.1', port: pixelmed.port, clock: realClock },
    ...{ callingAeTitle: archiveAeTitle, calledAeTitle: pixelMedAeTitle },
  };
  const paths = ['CT_small.dcm', 'MR_small.dcm', 'waveform_ecg.dcm'].map(file);
  const objects = await Promise.all(paths.map(objectOf));
  const expected = (await runPython(readIdentities, paths)) as readonly Identity[];
  const association = await openAssociation({
    ...peer,
    contexts: [
      { abstractSyntax: uids.verificationSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
      ...objects.map(({ sopClassUid, transferSyntaxUid }) => ({
        abstractSyntax: sopClassUid,
        transferSyntaxes: [transferSyntaxUid],
      })),
    ],
  });
  assert.equal((await association.echo()).status, 0);
  for (const object of objects)
    assert.equal((await association.store(object, inPieces(object.dataSet, 4096))).status, 0);
  await association.release();

  const archive = archiveScu(peer, archiveAeTitle);
  const { signal } = new AbortController();
  for (const { studyInstanceUid, patientId, sopInstanceUid } of expected) {
    // It answers a C-STORE before its database has the object.
    let study = await archive.study(studyInstanceUid, signal);
    for (; study === undefined; study = await archive.study(studyInstanceUid, signal))
      await realClock.sleep(20);
    assert.equal(study.patientId, patientId);
    const listed = [];
    for await (const each of archive.studiesOf(study.date, signal)) listed.push(each.studyInstanceUid);
    assert.deepEqual(listed, [studyInstanceUid]);
    const instances = await archive.instancesOf(studyInstanceUid, signal);
    assert.deepEqual(
      instances.map((instance) => instance.sopInstanceUid),
      [sopInstanceUid],
    );
    assert.deepEqual(await archive.move(studyInstanceUid, signal), { completed: 1, failed: 0 });
    assert.equal(store.kept.at(-1)?.request.sopInstanceUid, sopInstanceUid);
  }
  assert.equal(await archive.study('1.2.3.4.5.6', signal), undefined);
  // What it has not got is a failure to it (0xC000), not a success of nothing.
  await assert.rejects(archive.move('1.2.3.4.5.6', signal), { code: 'DELIVERY_FAILED' });
  const written = await Promise.all((await filesBelow(join(pixelmed.folder, 'images'))).map(lineOf));
  const sent = await Promise.all(paths.map(lineOf));
  assert.deepEqual(written.sort(), sent.sort());
});

/** The study and series that PixelMed's command line for C-FIND asks for: they stand in its code. */
const askedStudy = '1.2.840.113619.2.5.1762386977.1328.985934491.590';
const askedSeries = '1.2.840.113619.2.5.1762386977.1328.985934491.643';

test('PixelMed finds and moves what the box holds', options, async () => {
  const folder = await temporaryFolder();
  running.push({ stop: () => rm(folder, { recursive: true, force: true }) });
  const storescp = stopping(await startStorescp());
  const box = stopping(
    await ArchiveBox.open([{ name: 'storescp', aeTitle: 'STORESCP', port: storescp.port }]),
  );
  const path = join(folder, 'ct.dcm');
  await copyFile(file('CT_small.dcm'), path);
  const changes = ['-m', `(0020,000d)=${askedStudy}`, '-m', `(0020,000e)=${askedSeries}`];
  assert.equal((await runTool('dcmodify', ['-nb', ...changes, path])).code, 0);
  const ends = ['-aec', archiveAeTitle, '127.0.0.1', String(box.port)];
  for (const each of [path, file('MR_small.dcm')])
    assert.equal((await runTool('storescu', [...ends, each])).code, 0);
  const { sopInstanceUid } = await objectOf(path);

  const ask = { port: box.port, calledAeTitle: archiveAeTitle, callingAeTitle: pixelMedAeTitle };
  const found = await pixelMed('FindSOPClassSCU', ask, []);
  assert.equal(found.match(/\(0x0008,0x0018\)[^\n]*/g)?.length, 1, found);
  assert.ok(found.includes(sopInstanceUid), found);

  const moved = await pixelMed('MoveSOPClassSCU', ask, ['STORESCP', 'STUDY', askedStudy]);
  assert.match(moved, /final status = 0x0\n/);
  const [arrived, ...more] = await filesBelow(storescp.folder);
  assert.ok(arrived !== undefined && more.length === 0);
  assert.equal(await lineOf(arrived), await lineOf(path));
});

test('PixelMed gets what the box holds, bit for bit', options, async () => {
  const folder = await temporaryFolder();
  running.push({ stop: () => rm(folder, { recursive: true, force: true }) });
  const box = stopping(await ArchiveBox.open([]));
  const ask = { port: box.port, calledAeTitle: archiveAeTitle, callingAeTitle: pixelMedAeTitle };
  const paths = ['CT_small.dcm', 'MR_small.dcm'].map(file);
  const [ct, mr] = await Promise.all([objectOf(paths[0] as string), objectOf(paths[1] as string)]);
  const association = await openAssociation({
    ...{ host: '127.0.0.1', clock: realClock, ...ask },
    contexts: [ct, mr].map(({ sopClassUid, transferSyntaxUid }) => ({
      abstractSyntax: sopClassUid,
      transferSyntaxes: [transferSyntaxUid],
    })),
  });
  for (const object of [ct, mr])
    assert.equal((await association.store(object, inPieces(object.dataSet, 4096))).status, 0);
  await association.release();
  const [identity] = (await runPython(readIdentities, [paths[0] as string])) as readonly Identity[];
  assert.ok(identity !== undefined);

  const said = await pixelMedGet(ask, identity.studyInstanceUid, folder, [ct.sopClassUid, mr.sopClassUid]);
  assert.match(said, /status = 0x0\n/);
  const got = await filesBelow(folder);
  assert.deepEqual(await Promise.all(got.map(lineOf)), [await lineOf(paths[0] as string)]);

  const nothing = await pixelMedGet(ask, '1.2.3.4.5.6', folder, [ct.sopClassUid]);
  assert.ok(!nothing.includes('received '), nothing);
});

/**
 * The one suite that PixelMed proposes and takes, as OpenSSL calls it (TLS_RSA_WITH_AES_128_CBC_SHA, in TLS 1.2): RSA
 * key transport without forward secrecy, which is in no BCP 195 profile of PS3.15.
 */
const itsOnlySuite = 'AES128-SHA';

test(
  "PixelMed's own TLS is refused both ways: it knows one suite, and no profile has it",
  options,
  async () => {
    const tls = await MutualTls.make();
    running.push({ stop: () => tls.remove() });
    const box = stopping(await ArchiveBox.open([], tls.boxFiles));
    const callers = { calledAeTitle: archiveAeTitle, callingAeTitle: pixelMedAeTitle };
    const said = await pixelMed('VerificationSOPClassSCU', { ...callers, port: box.tlsPort }, ['SECURE']);
    assert.match(said, /handshake_failure/);
    assert.match(said, /was not successful/);
    const ends = ['-aec', archiveAeTitle, '127.0.0.1', String(box.tlsPort)];
    const beside = await runTool('echoscu', [...tls.dcmtkOptions, ...ends]);
    assert.equal(beside.code, 0, beside.output);

    const pixelmed = stopping(await startPixelMedTls());
    const at = { host: '127.0.0.1', port: pixelmed.port };
    // It does speak TLS, to whoever comes with that suite.
    const old = { maxVersion: 'TLSv1.2', ciphers: `${itsOnlySuite}:@SECLEVEL=0` } as const;
    const socket = connect({ ...at, ...old, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    assert.equal(socket.getCipher().standardName, 'TLS_RSA_WITH_AES_128_CBC_SHA');
    socket.destroy();
    await assert.rejects(
      openAssociation({
        ...{ ...at, clock: realClock, callingAeTitle: archiveAeTitle, calledAeTitle: pixelMedAeTitle },
        contexts: [
          { abstractSyntax: uids.verificationSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
        ],
        tls: { credentials: tls.credentials, checkName: false },
      }),
      /handshake failure/,
    );
  },
);
