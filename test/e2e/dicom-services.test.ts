/**
 * Every DICOM service of a real box, as `main.ts` composes it: each alone is tried elsewhere; here a modality, a
 * workstation and a department system meet all of them in one box, under a further AE title of it.
 */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  archiveScu,
  availabilityService,
  commitmentResultService,
  openAssociation,
  procedureStepService,
  reportCommitment,
  storageCommitmentService,
  uids,
} from '../../firmware/dimse/index.ts';
import { workflowScu } from '../../firmware/src/box/workflow-scu.ts';
import type {
  AvailabilityNotification,
  CommitmentRequest,
  CommitmentResult,
  ProcedureStepMessage,
} from '../../firmware/src/ports.ts';
import { realClock } from '../fakes/real-clock.ts';
import { makeScp, MemoryStore } from '../support/dimse-peer.ts';
import {
  filesBelow,
  inPieces,
  pydicomFiles,
  readDicomFile,
  runTool,
  temporaryFolder,
} from '../support/dimse-tools.ts';
import { fileCleanups } from '../support/file-cleanups.ts';
import { LoneBox } from '../support/lone-box.ts';
import { until } from '../support/until.ts';

const oldGateway = 'OLD_GATEWAY';
const study = '1.3.6.1.4.1.5962.1.2.1.20040119072730.12322';
const text = (vr: string, value: string) => ({ vr, values: [value] });

/** What the rest of the department hears and gets: PACS, RIS, and the modality where it is called back. */
class Department {
  readonly store = new MemoryStore();
  readonly commitments: CommitmentResult[] = [];
  readonly steps: ProcedureStepMessage[] = [];
  readonly notices: AvailabilityNotification[] = [];
  readonly asked: CommitmentRequest[] = [];
  readonly scp = makeScp(this.store.store, {
    aeTitles: ['PACS', 'RIS', 'MODALITY'],
    services: [
      commitmentResultService(async (result) => void this.commitments.push(result)),
      storageCommitmentService(async (request) => {
        this.asked.push(request);
        return 'accepted';
      }),
      procedureStepService(async (message) => {
        this.steps.push(message);
        return 'done';
      }),
      availabilityService(async (notice) => void this.notices.push(notice)),
    ],
  });
}

test('a box as it is started offers every service, and forwards, notifies, reports and relays', async () => {
  const department = new Department();
  await department.scp.start();
  fileCleanups.after(() => department.scp.stop());
  const there = { host: '127.0.0.1', port: department.scp.port };
  const box = await LoneBox.make(fileCleanups, 'harrowmere');
  const { dicom: port } = box.process.hospital.ports;
  await box.configure({
    dicom: {
      ...{ host: '127.0.0.1', port, aeTitle: 'HILUM', furtherAeTitles: [oldGateway] },
      callers: [
        {
          aeTitle: 'MODALITY',
          calledAeTitles: [oldGateway],
          may: ['store', 'query', 'retrieve', 'commitment', 'procedure-step'],
          reachedAt: there,
        },
        { aeTitle: 'PACS', may: ['commitment'] },
      ],
    },
    destinations: [{ name: 'pacs', aeTitle: 'PACS', ...there, inline: true, notify: true, commitment: true }],
    procedureSteps: { aeTitle: 'RIS', ...there },
    // Longer than this test: what is complete here is so by its procedure step.
    study: { quietMs: 3_600_000, forcedMs: 86_400_000 },
  });
  await box.process.start();

  const elsewhere = connect({ host: '127.0.0.2', port });
  await assert.rejects(once(elsewhere, 'connect'), { code: 'ECONNREFUSED' });
  const peer = {
    ...{ host: '127.0.0.1', port, clock: realClock },
    ...{ callingAeTitle: 'MODALITY', calledAeTitle: oldGateway },
  };
  const contexts = [
    { abstractSyntax: uids.verificationSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
    { abstractSyntax: uids.procedureStepSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
  ];
  await assert.rejects(
    openAssociation({ ...peer, calledAeTitle: 'HILUM', contexts }),
    /called AE title/i,
    'this caller is to use the other title',
  );

  const ct = await readDicomFile(join(pydicomFiles, 'CT_small.dcm'));
  assert.ok(ct.kind === 'object');
  const image = { abstractSyntax: ct.sopClassUid, transferSyntaxes: [ct.transferSyntaxUid] };
  const association = await openAssociation({ ...peer, contexts: [...contexts, image] });
  assert.equal((await association.echo()).status, 0);
  assert.equal((await association.store(ct, inPieces(ct.dataSet, 4_096))).status, 0);
  const step = await association.create(uids.procedureStepSopClass, '1.2.3', {
    '00400252': text('CS', 'IN PROGRESS'),
    '00400270': { vr: 'SQ', values: [{ '0020000D': text('UI', study) }] },
  });
  assert.equal(step.status, 0);
  const performed = { '00081140': { vr: 'SQ', values: [{ '00081155': text('UI', ct.sopInstanceUid) }] } };
  const ended = {
    '00400252': text('CS', 'COMPLETED'),
    '00400340': { vr: 'SQ', values: [performed] },
  };
  assert.equal((await association.set(uids.procedureStepSopClass, '1.2.3', ended)).status, 0);
  await association.release();

  const { signal } = new AbortController();
  const archive = archiveScu(peer, 'PACS');
  assert.equal((await archive.study(study, signal))?.studyInstanceUid, study);
  await until(() => department.store.kept.length === 1, 'what was sent reaches the PACS by itself');
  assert.deepEqual(await archive.move(study, signal), { completed: 1, failed: 0 });
  for (const { request, bytes } of department.store.kept) {
    assert.deepEqual([request.callingAeTitle, request.calledAeTitle], ['HILUM', 'PACS']);
    assert.ok(Buffer.from(ct.dataSet).equals(bytes), 'bit for bit');
  }
  assert.equal(department.store.kept.length, 2);

  const folder = await temporaryFolder();
  fileCleanups.after(() => rm(folder, { recursive: true, force: true }));
  const keys = ['-k', '0008,0052=STUDY', '-k', `0020,000d=${study}`];
  const ends = ['-aet', 'MODALITY', '-aec', oldGateway, '127.0.0.1', String(port)];
  const got = await runTool('getscu', ['-S', '+B', '-od', folder, ...keys, ...ends]);
  assert.equal(got.code, 0, got.output);
  assert.equal((await filesBelow(folder)).length, 1);

  const transactionUid = '1.2.3.4';
  const { sopClassUid, sopInstanceUid } = ct;
  const instances = [
    { sopClassUid, sopInstanceUid },
    { sopClassUid, sopInstanceUid: '1.2.3.9' },
  ];
  const onThis = (result: CommitmentResult): Promise<void> => {
    department.commitments.push(result);
    return Promise.resolve();
  };
  assert.equal(await workflowScu(peer).askCommitment({ transactionUid, instances }, onThis, signal), 0);
  await until(() => department.commitments.length === 1, 'the result of the commitment');
  assert.deepEqual(department.commitments, [
    {
      transactionUid,
      committed: [{ sopClassUid, sopInstanceUid }],
      failed: [{ sopClassUid, sopInstanceUid: '1.2.3.9', failureReason: 0x0112 }],
    },
  ]);
  await until(() => department.steps.length === 2, 'the procedure step at the RIS');
  assert.deepEqual(
    department.steps.map(({ kind, sopInstanceUid: uid }) => `${kind} ${uid}`),
    ['create 1.2.3', 'set 1.2.3'],
  );
  await until(() => department.notices.length === 1, 'the notification that the study is available');
  assert.equal(department.notices[0]?.studyInstanceUid, study);

  await until(() => department.asked.length === 1, 'the box asks the PACS to commit to what it got');
  const [request] = department.asked;
  assert.deepEqual(request?.instances, [{ sopClassUid, sopInstanceUid }]);
  // Refused, it would throw: its answer is what the box made of it.
  await reportCommitment(
    { ...peer, callingAeTitle: 'PACS', calledAeTitle: 'HILUM', signal },
    { transactionUid: request.transactionUid, committed: request.instances, failed: [] },
  );
});
