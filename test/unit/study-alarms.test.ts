/** Alarms about single studies: bounded, told once, and true. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { studyAlarmsMax } from '../../firmware/src/ingest/limits.ts';
import type { DataSetHeader } from '../../firmware/src/ports.ts';
import { plainDataSet } from '../support/plain-data-set.ts';
import { header, Reception, request } from '../support/reception.ts';

const patient = (id: string): DataSetHeader => ({
  ...header,
  patientId: id,
  patientName: `Canary^${id}`,
  patientBirthDate: '19700101',
});

/** `uid` is of the study, `instance` of the object in it. */
const send = (
  reception: Reception,
  of: DataSetHeader,
  uid: string,
  instance: number,
  { callingAeTitle = 'CT_1', bytes = 10 } = {},
): Promise<number> => {
  const sopInstanceUid = `${uid}.1.${instance}`;
  return reception.send(plainDataSet({ ...of, studyInstanceUid: uid, sopInstanceUid }, randomBytes(bytes)), {
    as: { ...request, sopInstanceUid, callingAeTitle },
  });
};

const alarms = (reception: Reception, code: string): (readonly [string, string])[] =>
  reception.health
    .list()
    .filter((item) => item.code === code)
    .map(({ subject, detail }) => [subject, detail]);

test('a study UID with several patients has one alarm that counts them, and one line in the log for each study', async () => {
  const reception = new Reception();
  for (let round = 0; round < 3; round++)
    for (let n = 0; n < 4; n++) await send(reception, patient(`P-${n}`), '1.5', 4 * round + n);
  const [first] = reception.studies;
  assert.deepEqual(alarms(reception, 'STUDY_SHARED'), [
    [
      `study ${first?.ref}`,
      'Objects of 4 patients came under one Study Instance UID; each patient has a study of its own.',
    ],
  ]);
  const lines = reception.logger.lines.filter((line) =>
    JSON.stringify(line).includes('more than one patient'),
  );
  assert.equal(lines.length, 4);
  assert.ok(!JSON.stringify([lines, reception.health.list()]).includes('Canary'));
});

test('beyond some hundred such UIDs they are counted together', async () => {
  const reception = new Reception();
  for (let uid = 0; uid < studyAlarmsMax + 3; uid++)
    for (const id of ['A', 'B', 'C']) await send(reception, patient(id), `1.5.${uid}`, id.charCodeAt(0));
  const shared = alarms(reception, 'STUDY_SHARED');
  assert.equal(shared.length, studyAlarmsMax + 1);
  assert.deepEqual(shared.at(-1), [
    'further studies',
    '3 further Study Instance UIDs came with the objects of several patients.',
  ]);
});

test('a full study is told of its sender until that one goes on to another study', async () => {
  const reception = new Reception({ study: { studyInstancesMax: 100, studyBytesMax: 10_000 } });
  await send(reception, header, '1.5', 1, { bytes: 5_000 });
  await assert.rejects(send(reception, header, '1.5', 2, { bytes: 5_000 }), { code: 'STUDY_FULL' });
  const full = [['CT_1', alarms(reception, 'STUDY_FULL')[0]?.[1]]];
  assert.match(full[0]?.[1] ?? '', /^Study .* as many bytes/);
  await send(reception, header, '1.5', 3, { bytes: 10 });
  assert.deepEqual(
    alarms(reception, 'STUDY_FULL'),
    full,
    'a smaller object of the same study changes nothing',
  );
  await send(reception, header, '1.6', 1, { callingAeTitle: 'MR_1' });
  assert.deepEqual(alarms(reception, 'STUDY_FULL'), full, 'nor does another sender');
  await send(reception, header, '1.7', 1);
  assert.deepEqual(alarms(reception, 'STUDY_FULL'), []);
});

test('senders with a full study are shown up to a bound', async () => {
  const reception = new Reception({ study: { studyInstancesMax: 1, studyBytesMax: 10_000 } });
  await send(reception, header, '1.5', 1);
  for (let n = 0; n < studyAlarmsMax + 2; n++)
    await assert.rejects(send(reception, header, '1.5', 2, { callingAeTitle: `CT_${n}` }), {
      code: 'STUDY_FULL',
    });
  assert.equal(alarms(reception, 'STUDY_FULL').length, studyAlarmsMax);
});
