/** What modalities ask of a box besides keeping, on the wire: Orthanc as the SCU of storage commitment, dcmtk as sender. */
import assert from 'node:assert/strict';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openAssociation, uids, type Association } from '../../firmware/dimse/index.ts';
import type { DataSet } from '../../firmware/src/ports.ts';
import { realClock } from '../fakes/real-clock.ts';
import {
  pydicomFiles,
  readDicomFile,
  runTool,
  startOrthanc,
  temporaryFolder,
} from '../support/dimse-tools.ts';
import { until } from '../support/until.ts';
import { WorkflowBox, workflowAeTitle } from '../support/workflow-box.ts';

const options = { timeout: 120_000 };
const running: { readonly stop: () => unknown }[] = [];
after(async () => {
  for (const one of running.toReversed()) await one.stop();
});

async function openBox(relayPort?: number): Promise<WorkflowBox> {
  const box = await WorkflowBox.open(relayPort);
  running.push(box);
  return box;
}

async function json<Answer>(url: string, body?: unknown): Promise<Answer> {
  const post = { method: 'POST', body: body instanceof Uint8Array ? body : JSON.stringify(body) };
  const response = await fetch(url, body === undefined ? {} : post);
  assert.ok(response.ok, `${url}: ${response.status} ${response.ok ? '' : await response.text()}`);
  return (await response.json()) as Answer;
}

interface CommitmentReport {
  readonly Status: string;
  readonly Success: readonly { readonly SOPInstanceUID: string }[];
  readonly Failures: readonly { readonly SOPInstanceUID: string; readonly FailureReason: number }[];
}

/** Asks by N-ACTION and waits for the N-EVENT-REPORT. */
async function commitment(
  http: string,
  instances: readonly (readonly [sopClassUid: string, sopInstanceUid: string])[],
): Promise<CommitmentReport> {
  const { ID } = await json<{ readonly ID: string }>(`${http}/modalities/hilum/storage-commitment`, {
    DicomInstances: instances.map(([SOPClassUID, SOPInstanceUID]) => ({ SOPClassUID, SOPInstanceUID })),
  });
  for (let tries = 0; tries < 600; tries++) {
    const report = await json<CommitmentReport>(`${http}/storage-commitment/${ID}`);
    if (report.Status !== 'Pending') return report;
    await realClock.sleep(50);
  }
  throw new Error('the result never came');
}

test(
  'Orthanc asks for commitment of what it sent, and is told on an association of its own',
  options,
  async () => {
    const box = await openBox();
    const orthanc = await startOrthanc({
      DicomModalities: { hilum: [workflowAeTitle, '127.0.0.1', box.port] },
    });
    running.push(orthanc);
    box.reachedAt.set('ORTHANC', { host: '127.0.0.1', port: orthanc.port, tls: false });
    const sent: (readonly [string, string])[] = [];
    for (const name of ['CT_small.dcm', 'MR_small.dcm']) {
      const path = join(pydicomFiles, name);
      const object = await readDicomFile(path);
      assert.ok(object.kind === 'object');
      const file = await readFile(path);
      const { ID } = await json<{ readonly ID: string }>(`${orthanc.http}/instances`, file);
      await json(`${orthanc.http}/modalities/hilum/store`, [ID]);
      sent.push([object.sopClassUid, object.sopInstanceUid]);
    }
    const all = await commitment(orthanc.http, sent);
    assert.equal(all.Status, 'Success');
    assert.deepEqual(
      all.Success.map(({ SOPInstanceUID }) => SOPInstanceUID).toSorted(),
      sent.map(([, uid]) => uid).toSorted(),
    );

    const [[ctClass, ctUid] = ['', ''], [, mrUid] = ['', '']] = sent;
    const some = await commitment(orthanc.http, [
      [ctClass, ctUid],
      [ctClass, '1.2.3.4.5'],
      [ctClass, mrUid],
    ]);
    assert.equal(some.Status, 'Failure');
    assert.deepEqual(
      some.Success.map(({ SOPInstanceUID }) => SOPInstanceUID),
      [ctUid],
    );
    assert.deepEqual(
      some.Failures.map(({ SOPInstanceUID, FailureReason }) => [SOPInstanceUID, FailureReason]),
      [
        ['1.2.3.4.5', 0x0112],
        [mrUid, 0x0119],
      ],
    );
    assert.deepEqual(box.health.list(), []);

    // Another image under the UID waits in quarantine: nobody knows which of the two Orthanc means.
    const other = join(await temporaryFolder(), 'other.dcm');
    await copyFile(join(pydicomFiles, 'CT_small.dcm'), other);
    assert.equal((await runTool('dcmodify', ['-nb', '-i', '(7fe0,0010)=1\\2\\3\\4', other])).code, 0);
    const tool = ['-aec', workflowAeTitle, '127.0.0.1', String(box.port), other];
    assert.equal((await runTool('storescu', tool)).code, 0);
    assert.ok(box.quarantine.holds(ctUid));
    const doubtful = await commitment(orthanc.http, sent);
    assert.deepEqual(
      doubtful.Failures.map(({ SOPInstanceUID, FailureReason }) => [SOPInstanceUID, FailureReason]),
      [[ctUid, 0x0112]],
    );
  },
);

test(
  'a modality that nobody can reach is an alarm, and is told when the access list says where it is',
  options,
  async () => {
    const box = await openBox();
    const orthanc = await startOrthanc({
      DicomModalities: { hilum: [workflowAeTitle, '127.0.0.1', box.port] },
    });
    running.push(orthanc);
    const asked = commitment(orthanc.http, [['1.2.840.10008.5.1.4.1.1.2', '1.2.3.4.5']]);
    await until(() => box.health.list().length === 1, 'the alarm');
    assert.deepEqual(
      box.health.list().map(({ code, subject }) => [code, subject]),
      [['COMMITMENT_UNDELIVERED', 'ORTHANC']],
    );
    box.reachedAt.set('ORTHANC', { host: '127.0.0.1', port: orthanc.port, tls: false });
    assert.equal((await asked).Status, 'Failure');
    await until(() => box.health.list().length === 0, 'the end of the alarm');
  },
);

async function stepsAssociation(box: WorkflowBox): Promise<Association> {
  const association = await openAssociation({
    host: '127.0.0.1',
    port: box.port,
    callingAeTitle: 'CT_1',
    calledAeTitle: workflowAeTitle,
    contexts: [
      { abstractSyntax: uids.procedureStepSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
    ],
    clock: realClock,
  });
  running.push({ stop: () => association.abort() });
  return association;
}

const step = (state: string, more: DataSet = {}): DataSet => ({
  '00400252': { vr: 'CS', values: [state] },
  ...more,
});

test(
  'a procedure step is created, changed, ended and sent on; what breaks its rules is refused',
  options,
  async () => {
    const ris = await openBox();
    const box = await openBox(ris.port);
    const modality = await stepsAssociation(box);
    const uid = '1.2.3.4.6';
    const statuses: number[] = [];
    const did = async (answer: Promise<{ readonly status: number }>): Promise<void> => {
      statuses.push((await answer).status);
    };
    const { procedureStepSopClass: mpps } = uids;
    const scheduled: DataSet = {
      '00100010': { vr: 'PN', values: ['Müller^Änne'] },
      '00400270': { vr: 'SQ', values: [{ '0020000D': { vr: 'UI', values: ['1.2.3'] } }] },
    };
    await did(modality.set(mpps, uid, step('COMPLETED')));
    await did(modality.create(mpps, uid, step('IN PROGRESS', scheduled)));
    await did(modality.create(mpps, uid, step('IN PROGRESS', scheduled)));
    await did(modality.create(mpps, '1.2.3.4.7', step('COMPLETED')));
    await did(modality.create(mpps, '1.2.3.4.7', scheduled));
    await did(modality.set(mpps, uid, step('COMPLETED')));
    await did(modality.set(mpps, uid, step('DISCONTINUED')));
    assert.deepEqual(statuses, [0x0112, 0x0000, 0x0111, 0x0106, 0x0120, 0x0000, 0x0110]);
    const unnamed = await modality.create(mpps, undefined, step('IN PROGRESS', scheduled));
    assert.equal(unnamed.status, 0);
    assert.match(unnamed.affectedSopInstanceUid ?? '', /^2\.25\./);
    await modality.release();

    // What the department system got is what it would have got from the modality.
    const asked = await stepsAssociation(ris);
    await until(
      () => ris.logger.lines.filter((line) => line.includes('procedure step')).length === 3,
      'all three messages',
    );
    assert.equal((await asked.create(mpps, uid, step('IN PROGRESS'))).status, 0x0111);
    assert.equal((await asked.set(mpps, uid, step('COMPLETED'))).status, 0x0110, 'it is completed there too');
    assert.equal(
      (await asked.set(mpps, unnamed.affectedSopInstanceUid ?? '', step('IN PROGRESS'))).status,
      0,
    );
    await asked.release();
    assert.deepEqual(box.health.list(), []);
  },
);

test('dcmtk sends a corrected header, other pixels, and an object without a study', options, async () => {
  const box = await openBox();
  const folder = await temporaryFolder();
  const copy = async (name: string, ...changes: readonly string[]): Promise<string> => {
    const path = join(folder, name);
    await copyFile(join(pydicomFiles, 'CT_small.dcm'), path);
    if (changes.length > 0) assert.equal((await runTool('dcmodify', ['-nb', ...changes, path])).code, 0);
    return path;
  };
  const send = async (path: string, from: string): Promise<string> => {
    const tool = ['-d', '-aet', from, '-aec', workflowAeTitle, '127.0.0.1', String(box.port), path];
    const { output } = await runTool('storescu', tool);
    return /DIMSE Status\s*: (0x[0-9a-f]{4})/.exec(output)?.[1] ?? output;
  };
  box.trusted.add('PACS');
  assert.equal(await send(await copy('original.dcm'), 'CT_1'), '0x0000');
  const corrected = await copy('corrected.dcm', '-m', '(0008,1030)=Thorax');
  assert.equal(await send(corrected, 'CT_1'), '0x0000');
  assert.equal(await send(corrected, 'PACS'), '0x0000');
  const other = await copy('other.dcm', '-i', '(7fe0,0010)=1\\2\\3\\4');
  assert.equal(await send(other, 'PACS'), '0x0000');
  assert.equal(await send(await copy('studyless.dcm', '-e', '(0020,000d)'), 'CT_1'), '0xa900');
  assert.deepEqual(
    box.quarantine
      .list()
      .map(({ reason, callingAeTitle }) => [reason, callingAeTitle])
      .toSorted(),
    [
      ['other attributes', 'CT_1'],
      ['other pixels', 'PACS'],
      ['without UIDs', 'CT_1'],
    ],
  );
  const [study, ...more] = box.catalogue.studies();
  assert.ok(study !== undefined && more.length === 0);
  assert.deepEqual(
    study.newest.map(({ header, corrects }) => [header.studyDescription, corrects]),
    [['Thorax', study.objects[0]?.number]],
  );
});
