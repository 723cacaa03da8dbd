/** Delivery of what was fetched from elsewhere: once it is enqueued, under the local patient ID, to its very end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../firmware/src/errors.ts';
import type { StudyId } from '../../firmware/src/ledger/types.ts';
import type { PatientCoercion } from '../../firmware/src/ports.ts';
import type { LocalPatient } from '../../firmware/src/studies/patient-identity.ts';
import { ct, FakeScu, foreign, ForwardingScene } from '../support/forwarding-scene.ts';
import { settle, until } from '../support/until.ts';

const local: LocalPatient = { ...foreign, patientId: 'S-77', issuer: 'SOUTH', name: 'CANARY^WINIFRED^' };
const account = new Uint8Array(32).fill(9);

test('a fetched study is delivered when it is enqueued, to where fetched studies go', async () => {
  const scene = new ForwardingScene();
  const workstation = new FakeScu();
  await scene.start(
    scene.destination({}),
    scene.destination({ name: 'workstation', fetched: false, scu: workstation }),
  );
  const { study, studyId } = await scene.study({ origin: 'fetched', classes: [ct, ct] });
  await settle();
  assert.equal(scene.stateOf(study), undefined, 'not while it is being fetched');
  await scene.forwarding.enqueue(studyId, null);
  await scene.untilState(study, 'delivered');
  await scene.grow(study);
  await until(() => scene.pacs.uids.length === 3, 'what came later');
  await settle();
  assert.deepEqual(workstation.uids, []);
  await scene.forwarding.stop();
});

test('nothing that an admin asks of set-aside objects sends a study that is still being fetched', async () => {
  const scene = new ForwardingScene();
  scene.patientOf = () => local;
  await scene.start();
  const { study, studyId } = await scene.study({ origin: 'fetched', classes: [ct, ct] });
  assert.equal(scene.forwarding.resend('pacs', { kind: 'set aside' }), 0);
  assert.equal(scene.forwarding.resend('pacs', { kind: 'study', studyRef: study.ref }), 0);
  assert.equal(scene.forwarding.dropSetAside('pacs', study.ref), 0);
  await scene.grow(study);
  await settle();
  assert.deepEqual(scene.pacs.uids, []);
  await scene.forwarding.stop();
  assert.deepEqual([...scene.store.values.keys()], ['forwarding/began/pacs'], 'it has no place in the queue');
  await scene.restart();
  await scene.forwarding.enqueue(studyId, account);
  await scene.untilState(study, 'delivered');
  assert.deepEqual(
    scene.coercions.map(({ patientId }) => patientId),
    ['S-77', 'S-77', 'S-77'],
    'none under the foreign patient ID',
  );
  await scene.forwarding.stop();
});

test('a study that is to be delivered and is not held is a fault', async () => {
  const scene = new ForwardingScene();
  await scene.start();
  const unknown = 'f'.repeat(64) as StudyId;
  await assert.rejects(scene.forwarding.enqueue(unknown, null), { code: 'STORE_CORRUPT' });
  await scene.forwarding.stop();
});

test('what was enqueued is on disk before anybody is told so', async () => {
  const scene = new ForwardingScene();
  scene.pacs.onOpen = () => {
    throw new AppError('DELIVERY_FAILED', 'PACS is not reachable');
  };
  await scene.start();
  const { studyId } = await scene.study({ origin: 'fetched' });
  await scene.forwarding.enqueue(studyId, account);
  // The power fails now.
  scene.pacs.onOpen = () => undefined;
  scene.patientOf = () => local;
  await scene.restart();
  await until(() => scene.pacs.uids.length === 1, 'the study');
  assert.equal(scene.coercions[0]?.patientId, 'S-77');
  await scene.forwarding.stop();
});

test('a failed write is told to who enqueues', async () => {
  const scene = new ForwardingScene();
  await scene.start();
  const { studyId } = await scene.study({ origin: 'fetched' });
  scene.store.write = () => Promise.reject(new AppError('STORE_FAILED', 'the index cannot be written'));
  await assert.rejects(scene.forwarding.enqueue(studyId, null), { code: 'STORE_FAILED' });
  await scene.forwarding.stop();
});

const coercionCases: readonly (readonly [
  name: string,
  wallet: Uint8Array | null,
  bound: LocalPatient | undefined,
  expected: Pick<PatientCoercion, 'patientId' | 'issuer'>,
])[] = [
  [
    'the wallet is bound here and the person is the same',
    account,
    local,
    { patientId: 'S-77', issuer: 'SOUTH' },
  ],
  ['nobody said whose it is here', null, local, { patientId: 'N-1001', issuer: 'north' }],
  ['the wallet is bound to nobody here', account, undefined, { patientId: 'N-1001', issuer: 'north' }],
  [
    'the birth dates differ',
    account,
    { ...local, birthDate: '19790413' },
    { patientId: 'N-1001', issuer: 'north' },
  ],
  ['the sexes differ', account, { ...local, sex: 'M' }, { patientId: 'N-1001', issuer: 'north' }],
  ['the names differ', account, { ...local, name: 'Canary^Wilma' }, { patientId: 'N-1001', issuer: 'north' }],
];

for (const [name, wallet, bound, expected] of coercionCases) {
  test(`under the local patient ID only if all matches: ${name}`, async () => {
    const scene = new ForwardingScene();
    scene.patientOf = (of) => (of.every((byte) => byte === 9) ? bound : undefined);
    await scene.start();
    const { study, studyId } = await scene.study({ origin: 'fetched' });
    await scene.forwarding.enqueue(studyId, wallet);
    await scene.untilState(study, 'delivered');
    assert.deepEqual(scene.coercions, [{ ...expected, source: 'north', at: scene.clock.now() }]);
    await scene.forwarding.stop();
  });
}
