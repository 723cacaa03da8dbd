/** Over real HTTPS: what administrators do about DICOM peers, by name, and how much the overview shows of them. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import type { ErrorAnswer, Overview } from '../../firmware/src/http/contract.ts';
import type { CallerBody } from '../../firmware/src/http/dicom-contract.ts';
import {
  overviewCallersMax,
  overviewIncompleteMax,
  overviewPendingMax,
  overviewQuarantineMax,
  overviewSetAsideMax,
} from '../../firmware/src/http/limits.ts';
import { ConsoleFixture } from '../support/console-fixture.ts';
import {
  exampleCaller,
  exampleDestination,
  exampleIncomplete,
  examplePending,
  exampleQuarantined,
} from '../support/fake-dicom-desk.ts';
import type { Answer, HttpsClient } from '../support/https-client.ts';

let box: ConsoleFixture;
let administrator: HttpsClient;

before(async () => {
  box = await ConsoleFixture.start();
  administrator = await box.administrator();
});

after(async () => box.stop());

const caller: CallerBody = {
  callingAeTitle: 'CT1',
  addresses: ['10.1.2.0/24'],
  certificates: [],
  calledAeTitles: [],
  may: ['store', 'commitment'],
  mayCorrect: false,
  reachedAt: { host: '10.1.2.7', port: 104, tls: false },
};

function assertError({ status, json }: Answer, expected: number, code: string, message: RegExp): void {
  const error = json as ErrorAnswer;
  assert.equal(status, expected);
  assert.equal(error.code, code);
  assert.match(error.message, message);
}

test('every act reaches the box with the name of its person', async () => {
  const { acts } = box.box.dicom;
  const calls: readonly (readonly [method: string, path: string, body?: unknown])[] = [
    ['POST', 'callers', caller],
    ['PUT', 'callers/c1', caller],
    ['DELETE', 'callers/c1'],
    ['DELETE', 'refused-callers/p1'],
    ['POST', 'quarantine/q1/release'],
    ['DELETE', 'quarantine/q2'],
    ['POST', 'incomplete-studies/ab12/accept'],
  ];
  for (const [method, path, body] of calls) {
    const { status } = await administrator.call(
      method,
      `/api/v1/${path}`,
      body === undefined ? {} : { body },
    );
    assert.equal(status, 204, path);
  }
  assert.deepEqual(
    acts.splice(0).map(({ act, subject, by }) => `${by} ${act} ${subject}`),
    [
      'admin admitCaller CT1',
      'admin replaceCaller c1',
      'admin removeCaller c1',
      'admin dismissCaller p1',
      'admin releaseFromQuarantine q1',
      'admin discardFromQuarantine q2',
      'admin acceptIncomplete ab12',
    ],
  );

  const resend = { what: 'set-aside', studyRef: 'ab12' };
  const answer = await administrator.call('POST', '/api/v1/destinations/pacs/resend', { body: resend });
  assert.deepEqual(answer.json, { objects: 12 });
  const giveUp = await administrator.call('POST', '/api/v1/destinations/pacs/give-up', {
    body: { studyRef: 'ab12' },
  });
  assert.deepEqual(giveUp.json, { objects: 12 });
  assert.deepEqual(acts.splice(0), [
    { act: 'resend', subject: 'pacs', what: resend, by: 'admin' },
    { act: 'giveUp', subject: 'pacs', what: 'ab12', by: 'admin' },
  ]);
  assert.ok(box.logger.lines.some((line) => /objects queued again .*"account":"admin"/.test(line)));
});

test('what the box refuses is said in its words; what is not there is not found', async () => {
  const body = { ...caller, callingAeTitle: 'REFUSED' };
  const refused = await administrator.call('POST', '/api/v1/callers', { body });
  assertError(refused, 409, 'PEER_ACT_REFUSED', /this cannot be done/);
  assertError(
    await administrator.call('DELETE', '/api/v1/quarantine/REFUSED'),
    409,
    'PEER_ACT_REFUSED',
    /this cannot be done/,
  );
  const absent = await administrator.call('POST', '/api/v1/destinations/ABSENT/resend', {
    body: { what: 'since', since: 0 },
  });
  assertError(absent, 404, 'NOT_FOUND', /no such destination/);
});

test('a C-ECHO is answered, fails with its reason, or has nowhere to go', async () => {
  const echo = async (path: string): Promise<Answer> => administrator.call('POST', `/api/v1/${path}/echo`);
  assert.deepEqual((await echo('destinations/pacs')).json, { kind: 'answered', ms: 4 });
  assert.deepEqual((await echo('callers/DEAD')).json, {
    kind: 'failed',
    reason: 'connect ECONNREFUSED 10.1.9.9:104',
  });
  assertError(await echo('destinations/ABSENT'), 404, 'NOT_FOUND', /not known where it is reached/);
});

test('what is wrong with a body is named, and nothing is done', async () => {
  const { acts } = box.box.dicom;
  acts.splice(0);
  const wrong: readonly (readonly [path: string, body: unknown, message: RegExp])[] = [
    ['callers', { ...caller, callingAeTitle: 'A\\B' }, /callingAeTitle .* wrong form/],
    ['callers', { ...caller, may: ['everything'] }, /may/],
    ['callers', { ...caller, admin: true }, /unknown field admin/],
    ['callers', { ...caller, reachedAt: { host: 'ct1', port: 70_000, tls: false } }, /reachedAt/],
    ['destinations/pacs/resend', { what: 'everything' }, /body/],
    ['destinations/pacs/give-up', { studyRef: '../..' }, /studyRef/],
  ];
  for (const [path, body, message] of wrong)
    assertError(
      await administrator.call('POST', `/api/v1/${path}`, { body }),
      400,
      'REQUEST_INVALID',
      message,
    );
  assert.deepEqual(acts, []);
});

test('the overview shows so much of peers and no more', async () => {
  const now = Date.now();
  const many = <Item>(count: number, item: (index: number) => Item): Item[] =>
    Array.from({ length: count }, (_, index) => item(index));
  const setAside = { studyRef: 'ab', patientName: '', description: '', objects: 1, reason: 'no', at: now };
  box.box.change({
    access: {
      pending: many(overviewPendingMax + 5, () => examplePending(now)),
      callers: many(overviewCallersMax + 5, () => exampleCaller(now)),
      callersCount: overviewCallersMax + 5,
    },
    quarantine: {
      count: overviewQuarantineMax + 5,
      bytes: 1,
      objects: many(overviewQuarantineMax + 5, () => exampleQuarantined(now)),
    },
    destinations: [exampleDestination({ setAside: many(overviewSetAsideMax + 5, () => setAside) })],
    sidecar: {
      ...{ archive: 'PACS_NORTH', pulling: 0, backfill: null },
      incompleteCount: overviewIncompleteMax + 5,
      incomplete: many(overviewIncompleteMax + 5, () => exampleIncomplete(now)),
    },
  });
  const { json } = await administrator.call('GET', '/api/v1/overview');
  const { access, quarantine, destinations, sidecar } = json as Overview;
  assert.equal(access.pending.length, overviewPendingMax);
  assert.equal(access.callers.length, overviewCallersMax);
  assert.equal(access.callersCount, overviewCallersMax + 5);
  assert.equal(quarantine.objects.length, overviewQuarantineMax);
  assert.equal(quarantine.count, overviewQuarantineMax + 5);
  assert.equal(destinations[0]?.setAside.length, overviewSetAsideMax);
  assert.equal(sidecar?.incomplete.length, overviewIncompleteMax);
  assert.equal(sidecar.incompleteCount, overviewIncompleteMax + 5);
});
