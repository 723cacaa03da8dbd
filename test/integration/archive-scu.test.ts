/** What the side-car asks an archive, of Orthanc as the archive. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { archiveScu } from '../../firmware/dimse/index.ts';
import type { DicomServer } from '../../firmware/dimse/index.ts';
import type { ArchiveScu } from '../../firmware/src/ports.ts';
import { realClock } from '../fakes/real-clock.ts';
import { makeScp, MemoryStore } from '../support/dimse-peer.ts';
import {
  freePort,
  type Peer,
  pydicomFiles,
  runPython,
  runTool,
  startOrthanc,
} from '../support/dimse-tools.ts';

const files = ['CT_small.dcm', 'MR_small.dcm', 'rtplan.dcm'].map((name) => join(pydicomFiles, name));
const { signal } = new AbortController();

interface Sent {
  readonly study: string;
  readonly instance: string;
  readonly date: string;
  readonly patientId: string;
  readonly modality: string;
}

let orthanc: Peer;
let server: DicomServer;
let sent: readonly Sent[];
const store = new MemoryStore();

before(async () => {
  const port = await freePort();
  server = makeScp(store.store, { port });
  await server.start();
  orthanc = await startOrthanc({
    DicomAet: 'ARCHIVE',
    DicomAlwaysAllowStore: true,
    DicomAlwaysAllowFind: true,
    DicomAlwaysAllowMove: true,
    DicomModalities: { box: ['HILUM', '127.0.0.1', port] },
  });
  const { code, output } = await runTool('dcmsend', [
    ...['-aec', 'ARCHIVE', '127.0.0.1', String(orthanc.port)],
    ...files,
  ]);
  assert.equal(code, 0, output);
  sent = (await runPython(
    `import json, sys, pydicom
print(json.dumps([dict(study=str(d.StudyInstanceUID), instance=str(d.SOPInstanceUID), date=str(d.get('StudyDate', '')),
  patientId=str(d.PatientID), modality=str(d.Modality)) for d in map(pydicom.dcmread, sys.argv[1:])]))`,
    files,
  )) as readonly Sent[];
});
after(async () => {
  await orthanc.stop();
  await server.stop();
});

function archive(moveDestination = 'HILUM'): ArchiveScu {
  const peer = { host: '127.0.0.1', port: orthanc.port, clock: realClock };
  return archiveScu({ ...peer, callingAeTitle: 'HILUM', calledAeTitle: 'ARCHIVE' }, moveDestination);
}

test('the studies of a day, a study, and its instances are what was sent', async () => {
  for (const { study, instance, date, patientId, modality } of sent) {
    const listed = [];
    for await (const each of archive().studiesOf(date, signal)) listed.push(each);
    assert.ok(
      listed.some((each) => each.studyInstanceUid === study && each.patientId === patientId),
      `${study} on ${date}`,
    );
    assert.equal((await archive().study(study, signal))?.date, date);
    const [found, ...others] = await archive().instancesOf(study, signal);
    assert.deepEqual([found?.sopInstanceUid, found?.modality, others], [instance, modality, []]);
  }
  assert.equal(await archive().study('1.2.3.4.5.6', signal), undefined);
  assert.deepEqual(await archive().instancesOf('1.2.3.4.5.6', signal), []);
});

test('a study that is moved has arrived when the answer comes', async () => {
  for (const { study, instance } of sent) {
    assert.deepEqual(await archive().move(study, signal), { completed: 1, failed: 0 });
    assert.ok(store.kept.some(({ request }) => request.sopInstanceUid === instance));
  }
});

test('a C-MOVE that fails as a whole is a fault, not an archive without objects', async () => {
  const [first] = sent;
  assert.ok(first !== undefined);
  await assert.rejects(archive('NOBODY').move(first.study, signal), { code: 'DELIVERY_FAILED' });
});
