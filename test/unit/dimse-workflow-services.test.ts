/** The services for modalities' workflow at their SCP: what is asked of a request, and with what it is answered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { availabilityService } from '../../firmware/dimse/availability-notification.ts';
import { commandField, type Command } from '../../firmware/dimse/command.ts';
import { procedureStepService } from '../../firmware/dimse/procedure-step.ts';
import type { DimseService, ServiceOperation, ServiceResponse } from '../../firmware/dimse/service.ts';
import { commitmentReport, storageCommitmentService } from '../../firmware/dimse/storage-commitment.ts';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import type {
  AvailabilityNotification,
  CommitmentRequest,
  DataSet,
  ProcedureStepAnswer,
  ProcedureStepMessage,
} from '../../firmware/src/ports.ts';

const ct = '1.2.840.10008.5.1.4.1.1.2';
const ui = (uid: string) => ({ vr: 'UI', values: [uid] });
const sq = (...items: readonly DataSet[]) => ({ vr: 'SQ', values: items });

async function perform(
  service: DimseService,
  command: Omit<Command, 'hasDataSet' | 'messageId'>,
  dataSet?: DataSet,
): Promise<ServiceResponse> {
  const [abstractSyntax = ''] = service.sopClasses;
  const operation: ServiceOperation = {
    peer: { callingAeTitle: 'CT_1', calledAeTitle: 'HILUM', remoteAddress: '192.0.2.7' },
    command: { ...command, messageId: 7, hasDataSet: dataSet !== undefined },
    abstractSyntax,
    transferSyntaxUid: '1.2.840.10008.1.2',
    extendedNegotiation: undefined,
    dataSet,
    dataSetBytes: dataSet && utf8('as it came'),
    signal: new AbortController().signal,
    pending: () => Promise.reject(new Error('there is one response')),
    takes: () => false,
    store: () => Promise.reject(new Error('there are no sub-operations')),
  };
  return service.perform(operation);
}

const commitmentInstance = '1.2.840.10008.1.20.1.1';
const action = {
  commandField: commandField.actionRequest,
  requestedSopInstanceUid: commitmentInstance,
  actionTypeId: 1,
};
const reference = (uid: string): DataSet => ({ '00081150': ui(ct), '00081155': ui(uid) });

test('a storage commitment is handed on with what it asks for, and answered when it is taken', async () => {
  const asked: CommitmentRequest[] = [];
  const service = storageCommitmentService(async (request) => {
    asked.push(request);
    return 'accepted';
  });
  const response = await perform(service, action, {
    '00081195': ui('1.9'),
    '00081199': sq(reference('1.2.1'), reference('1.2.2')),
  });
  assert.equal(response.status, 0x0000);
  assert.deepEqual(asked, [
    {
      transactionUid: '1.9',
      callingAeTitle: 'CT_1',
      calledAeTitle: 'HILUM',
      instances: [
        { sopClassUid: ct, sopInstanceUid: '1.2.1' },
        { sopClassUid: ct, sopInstanceUid: '1.2.2' },
      ],
    },
  ]);
});

test('a storage commitment that asks wrongly is refused by the status that says why, and handed to nobody', async () => {
  const service = storageCommitmentService(() => Promise.reject(new Error('handed on')));
  const whole = { '00081195': ui('1.9'), '00081199': sq(reference('1.2.1')) };
  const cases: readonly (readonly [object, DataSet | undefined, number])[] = [
    [{ commandField: commandField.createRequest }, whole, 0x0211],
    [{ requestedSopInstanceUid: '1.2.3' }, whole, 0x0112],
    [{ actionTypeId: 2 }, whole, 0x0123],
    [{}, undefined, 0x0115],
    [{}, { ...whole, '00081195': ui('no UID') }, 0x0115],
    [{}, { ...whole, '00081199': sq() }, 0x0115],
    [{}, { ...whole, '00081199': sq(reference('1.2.1'), { '00081150': ui(ct) }) }, 0x0115],
    [{}, { ...whole, '00081199': sq(reference('no UID')) }, 0x0115],
  ];
  for (const [change, dataSet, status] of cases)
    assert.equal((await perform(service, { ...action, ...change }, dataSet)).status, status);
});

test('too many storage commitments are refused; a disk that fails is no success', async () => {
  const whole = { '00081195': ui('1.9'), '00081199': sq(reference('1.2.1')) };
  const full = storageCommitmentService(async () => 'full');
  assert.equal((await perform(full, action, whole)).status, 0x0213);
  const failing = storageCommitmentService(() =>
    Promise.reject(new AppError('STORE_FAILED', 'the disk is full')),
  );
  await assert.rejects(perform(failing, action, whole), { code: 'STORE_FAILED' });
});

test('the result of a commitment: event 1 if all is held, else event 2 with both lists', () => {
  const [one, two] = [
    { sopClassUid: ct, sopInstanceUid: '1.2.1' },
    { sopClassUid: ct, sopInstanceUid: '1.2.2' },
  ];
  assert.deepEqual(commitmentReport({ transactionUid: '1.9', committed: [one, two], failed: [] }), {
    eventTypeId: 1,
    dataSet: { '00081195': ui('1.9'), '00081199': sq(reference('1.2.1'), reference('1.2.2')) },
  });
  assert.deepEqual(
    commitmentReport({
      transactionUid: '1.9',
      committed: [one],
      failed: [{ ...two, failureReason: 0x0112 }],
    }),
    {
      eventTypeId: 2,
      dataSet: {
        '00081195': ui('1.9'),
        '00081199': sq(reference('1.2.1')),
        '00081198': sq({ ...reference('1.2.2'), '00081197': { vr: 'US', values: ['274'] } }),
      },
    },
  );
  const none = commitmentReport({
    transactionUid: '1.9',
    committed: [],
    failed: [{ ...two, failureReason: 0x0112 }],
  });
  assert.equal(none.dataSet['00081199'], undefined, 'an empty sequence is left out');
});

const step = { '00400252': { vr: 'CS', values: ['IN PROGRESS'] } };

test('a procedure step is handed on as it was decoded and as it came', async () => {
  const taken: ProcedureStepMessage[] = [];
  const service = procedureStepService(async (message) => {
    taken.push(message);
    return 'done';
  });
  const created = await perform(
    service,
    { commandField: commandField.createRequest, affectedSopInstanceUid: '1.7.1' },
    step,
  );
  assert.deepEqual(created, { status: 0, affectedSopInstanceUid: '1.7.1' });
  await perform(service, { commandField: commandField.setRequest, requestedSopInstanceUid: '1.7.1' }, step);
  const common = {
    callingAeTitle: 'CT_1',
    sopInstanceUid: '1.7.1',
    transferSyntaxUid: '1.2.840.10008.1.2',
    dataSet: step,
    dataSetBytes: utf8('as it came'),
  };
  assert.deepEqual(taken, [
    { kind: 'create', ...common },
    { kind: 'set', ...common },
  ]);
});

test('a step without a UID gets one, and its creator is told', async () => {
  const taken: string[] = [];
  const service = procedureStepService(async ({ sopInstanceUid }) => {
    taken.push(sopInstanceUid);
    return 'done';
  });
  const created = { commandField: commandField.createRequest };
  const answers = [await perform(service, created, step), await perform(service, created, step)];
  assert.deepEqual(
    answers.map(({ affectedSopInstanceUid }) => affectedSopInstanceUid),
    taken,
  );
  assert.ok(taken.every((uid) => /^2\.25\.[1-9][0-9]{1,38}$/.test(uid)) && taken[0] !== taken[1]);
});

test('each answer to a procedure step has its status', async () => {
  const statuses: Readonly<Record<ProcedureStepAnswer, number>> = {
    done: 0x0000,
    duplicate: 0x0111,
    unknown: 0x0112,
    ended: 0x0110,
    'status missing': 0x0120,
    'status invalid': 0x0106,
    full: 0x0213,
  };
  const set = { commandField: commandField.setRequest, requestedSopInstanceUid: '1.7.1' };
  for (const [answer, status] of Object.entries(statuses)) {
    const response = await perform(
      procedureStepService(async () => answer as ProcedureStepAnswer),
      set,
      step,
    );
    assert.equal(response.status, status, answer);
    assert.equal(response.errorId, answer === 'ended' ? 0xa710 : undefined);
  }
  const never = procedureStepService(() => Promise.reject(new Error('handed on')));
  assert.equal((await perform(never, { commandField: commandField.setRequest }, step)).status, 0x0117);
  assert.equal((await perform(never, set)).status, 0x0120);
  assert.equal((await perform(never, { commandField: commandField.deleteRequest }, step)).status, 0x0211);
});

const available = {
  ...reference('1.2.1'),
  '00080056': { vr: 'CS', values: ['ONLINE'] },
  '00080054': { vr: 'AE', values: ['PACS'] },
};
const notification = {
  '0020000D': ui('1.2'),
  '00081115': sq({ '0020000E': ui('1.2.0'), '00081199': sq(available) }),
};
const notify = { commandField: commandField.createRequest, affectedSopInstanceUid: '1.8.1' };

test('a notification of availability is handed on, and answered when it is kept', async () => {
  const heard: AvailabilityNotification[] = [];
  const service = availabilityService(async (said) => {
    heard.push(said);
  });
  assert.equal((await perform(service, notify, notification)).status, 0);
  assert.deepEqual(heard, [
    {
      callingAeTitle: 'CT_1',
      studyInstanceUid: '1.2',
      series: [
        {
          seriesInstanceUid: '1.2.0',
          instances: [
            { sopClassUid: ct, sopInstanceUid: '1.2.1', availability: 'ONLINE', retrieveAeTitle: 'PACS' },
          ],
        },
      ],
    },
  ]);
  const failing = availabilityService(() => Promise.reject(new AppError('STORE_FAILED', 'the disk is full')));
  await assert.rejects(perform(failing, notify, notification), { code: 'STORE_FAILED' });
});

test('a notification that lacks what it must say is refused', async () => {
  const service = availabilityService(() => Promise.reject(new Error('handed on')));
  const series = (item: DataSet): DataSet => ({ ...notification, '00081115': sq(item) });
  const wrong: readonly (DataSet | undefined)[] = [
    undefined,
    { ...notification, '0020000D': ui('no UID') },
    { '0020000D': ui('1.2') },
    series({ '00081199': sq(available) }),
    series({ '0020000E': ui('1.2.0') }),
    series({ '0020000E': ui('1.2.0'), '00081199': sq(reference('1.2.1')) }),
    series({
      '0020000E': ui('1.2.0'),
      '00081199': sq({ ...available, '00080056': { vr: 'CS', values: ['SOMEWHERE'] } }),
    }),
  ];
  for (const dataSet of wrong) assert.equal((await perform(service, notify, dataSet)).status, 0x0120);
  assert.equal(
    (await perform(service, { commandField: commandField.setRequest }, notification)).status,
    0x0211,
  );
});
