/** odil against what modalities ask besides keeping: procedure steps and notifications, from it and to it. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { availabilityService, uids } from '../../firmware/dimse/index.ts';
import { workflowScu } from '../../firmware/src/box/workflow-scu.ts';
import type { AvailabilityNotification } from '../../firmware/src/ports.ts';
import { realClock } from '../fakes/real-clock.ts';
import { type DicomJson, odilRequests, OdilScp } from '../support/odil-peer.ts';
import { until } from '../support/until.ts';
import { WorkflowBox, workflowAeTitle } from '../support/workflow-box.ts';

const options = { timeout: 60_000 };
const running: { readonly stop: () => unknown }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

function stopping<Started extends { readonly stop: () => unknown }>(started: Started): Started {
  running.push(started);
  return started;
}

const { procedureStepSopClass: mpps, availabilitySopClass } = uids;
const status = (state: string): DicomJson => ({ '00400252': { vr: 'CS', Value: [state] } });
const scheduled: DicomJson = {
  ...status('IN PROGRESS'),
  '00080005': { vr: 'CS', Value: ['ISO_IR 192'] },
  '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Müller^Änne' }] },
  '00400270': { vr: 'SQ', Value: [{ '0020000d': { vr: 'UI', Value: ['1.2.3'] } }] },
};
const uid = '1.2.3.4.6';
const create = (sopInstanceUid: string | undefined, dataSet: DicomJson) =>
  ({
    kind: 'create',
    sopClassUid: mpps,
    ...(sopInstanceUid !== undefined && { sopInstanceUid }),
    dataSet,
  }) as const;
const set = (sopInstanceUid: string, dataSet: DicomJson) =>
  ({ kind: 'set', sopClassUid: mpps, sopInstanceUid, dataSet }) as const;

const valueOf = (dataSet: DicomJson | undefined, tag: string): unknown => dataSet?.[tag]?.Value?.[0];

test('odil reports a procedure step; what breaks its rules is refused', options, async () => {
  const box = stopping(await WorkflowBox.open());
  const answers = await odilRequests(box.port, workflowAeTitle, [
    set(uid, status('COMPLETED')),
    create(uid, scheduled),
    create(uid, scheduled),
    create('1.2.3.4.7', status('COMPLETED')),
    set(uid, status('COMPLETED')),
    set(uid, status('DISCONTINUED')),
    create(undefined, scheduled),
  ]);
  assert.deepEqual(
    answers.map((answer) => valueOf(answer, '00000900')),
    [0x0112, 0x0000, 0x0111, 0x0106, 0x0000, 0x0110, 0x0000],
  );
  assert.equal(valueOf(answers[1], '00001000'), uid);
  assert.match(String(valueOf(answers[6], '00001000')), /^2\.25\./);
});

test('a procedure step is sent on to odil with all that the modality said', options, async () => {
  const ris = stopping(await OdilScp.start());
  const box = stopping(await WorkflowBox.open(ris.port));
  for (const request of [create(uid, scheduled), set(uid, status('COMPLETED'))]) {
    await ris.ready();
    const before = ris.taken.length;
    await odilRequests(box.port, workflowAeTitle, [request]);
    await until(() => ris.taken.length > before, 'the message at odil');
  }
  const [created, changed, ...more] = ris.taken;
  assert.deepEqual(more, []);
  assert.equal(created?.kind, 'create');
  assert.equal(created.callingAeTitle, workflowAeTitle);
  assert.deepEqual([valueOf(created.command, '00000002'), valueOf(created.command, '00001000')], [mpps, uid]);
  assert.deepEqual(created.dataSet, scheduled);
  assert.equal(changed?.kind, 'set');
  assert.deepEqual([valueOf(changed.command, '00000003'), valueOf(changed.command, '00001001')], [mpps, uid]);
  assert.deepEqual(changed.dataSet, status('COMPLETED'));
  await until(() => box.workflow?.waiting().procedureSteps === 0, 'nothing waits any more');
  assert.deepEqual(box.health.list(), []);
});

const notification: Omit<AvailabilityNotification, 'callingAeTitle'> = {
  studyInstanceUid: '1.2.3',
  series: [
    {
      seriesInstanceUid: '1.2.3.4',
      instances: ['1.2.3.4.5', '1.2.3.4.6'].map((sopInstanceUid) => ({
        sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
        sopInstanceUid,
        availability: 'ONLINE',
        retrieveAeTitle: 'HILUM',
      })),
    },
  ],
};

test('odil is told which instances are available, and what it answers is heard', options, async () => {
  const text = (vr: string, value: string): DicomJson[string] => ({ vr, Value: [value] });
  for (const answer of [0x0000, 0x0110]) {
    const archive = stopping(await OdilScp.start(answer));
    const scu = workflowScu({
      ...{ host: '127.0.0.1', port: archive.port, clock: realClock },
      ...{ callingAeTitle: 'HILUM', calledAeTitle: 'ARCHIVE' },
    });
    const { signal } = new AbortController();
    assert.equal(await scu.notify(notification, signal), answer);
    await until(() => archive.taken.length > 0, 'what odil was told');
    const [taken, ...more] = archive.taken;
    assert.deepEqual(more, []);
    assert.equal(taken?.kind, 'create');
    assert.equal(valueOf(taken.command, '00000002'), availabilitySopClass);
    const [series] = (taken.dataSet['00081115']?.Value ?? []) as DicomJson[];
    assert.equal(valueOf(taken.dataSet, '0020000d'), '1.2.3');
    assert.equal(valueOf(series, '0020000e'), '1.2.3.4');
    assert.deepEqual(
      series?.['00081199']?.Value,
      ['1.2.3.4.5', '1.2.3.4.6'].map((sopInstanceUid) => ({
        '00080054': text('AE', 'HILUM'),
        '00080056': text('CS', 'ONLINE'),
        '00081150': text('UI', '1.2.840.10008.5.1.4.1.1.2'),
        '00081155': text('UI', sopInstanceUid),
      })),
    );
  }
});

test('odil tells which instances are available; what lacks its study is refused', options, async () => {
  const heard: AvailabilityNotification[] = [];
  const service = availabilityService((each) => {
    heard.push(each);
    return Promise.resolve();
  });
  const box = stopping(await WorkflowBox.open(undefined, [service]));
  const text = (vr: string, value: string): DicomJson[string] => ({ vr, Value: [value] });
  const [series] = notification.series;
  assert.ok(series !== undefined);
  const instances = series.instances.map((instance) => ({
    '00080054': text('AE', instance.retrieveAeTitle),
    '00080056': text('CS', instance.availability),
    '00081150': text('UI', instance.sopClassUid),
    '00081155': text('UI', instance.sopInstanceUid),
  }));
  const without: DicomJson = {
    '00081111': { vr: 'SQ', Value: [] },
    '00081115': {
      vr: 'SQ',
      Value: [
        {
          '00081199': { vr: 'SQ', Value: instances },
          '0020000e': text('UI', series.seriesInstanceUid),
        },
      ],
    },
  };
  const whole = { ...without, '0020000d': text('UI', notification.studyInstanceUid) };
  const tell = (dataSet: DicomJson) =>
    ({ kind: 'create', sopClassUid: availabilitySopClass, dataSet }) as const;
  const answers = await odilRequests(box.port, workflowAeTitle, [tell(whole), tell(without)]);
  assert.deepEqual(
    answers.map((answer) => valueOf(answer, '00000900')),
    [0x0000, 0x0120],
  );
  assert.deepEqual(heard, [{ callingAeTitle: 'ODIL', ...notification }]);
});
