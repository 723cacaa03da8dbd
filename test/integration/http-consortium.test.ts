/** Over real HTTPS: what administrators do in the consortium, by name, and what auditors see. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import type { ErrorAnswer } from '../../firmware/src/http/contract.ts';
import { ConsoleFixture } from '../support/console-fixture.ts';
import { exampleConsortium } from '../support/fake-consortium-desk.ts';
import type { Answer, HttpsClient } from '../support/https-client.ts';

let box: ConsoleFixture;
let administrator: HttpsClient;

before(async () => {
  box = await ConsoleFixture.start();
  administrator = await box.administrator();
});

after(async () => box.stop());

const id = 'a1'.repeat(32);
const admission = { kind: 'admit', record: '{"id":"eastmoor"}', validator: true };

function assertError({ status, json }: Answer, expected: number, code: string, message: RegExp): void {
  const error = json as ErrorAnswer;
  assert.equal(status, expected);
  assert.equal(error.code, code);
  assert.match(error.message, message);
}

test('every act reaches the box with the name of its person, and the log', async () => {
  const { acts } = box.box.consortium;
  const parameters = '{"epochMs":86400000}';
  const bodies = [
    admission,
    { kind: 'remove', institution: 'harbour' },
    { kind: 'validators', add: ['velden'], remove: [] },
    { kind: 'parameters', parameters },
  ];
  for (const body of bodies) {
    const { status, json } = await administrator.call('POST', '/api/v1/proposals', { body });
    assert.equal(status, 200);
    assert.deepEqual(json, { kind: 'done' });
  }
  await administrator.call('POST', `/api/v1/proposals/${id}/vote`, { body: { approve: false } });
  await administrator.call('POST', '/api/v1/keys/rotate');
  box.box.consortium.answer = { kind: 'waiting' };
  const body = { document: 'a0ff' };
  const { json } = await administrator.call('POST', '/api/v1/consortium/documents', { body });
  assert.deepEqual(json, { kind: 'waiting' });
  box.box.consortium.answer = { kind: 'done' };
  assert.deepEqual(acts.splice(0), [
    ...bodies.map((what) => ({ act: 'propose', what, by: 'admin' })),
    { act: 'vote', what: { id, approve: false }, by: 'admin' },
    { act: 'rotateKeys', what: null, by: 'admin' },
    { act: 'bring', what: 'a0ff', by: 'admin' },
  ]);
  for (const message of ['proposal made', 'voted on a proposal', 'signed offline was brought']) {
    assert.ok(
      box.logger.lines.some((line) => line.includes(message) && line.includes('admin')),
      message,
    );
  }
});

test('a refusal is told in its words, and a wrong form is named', async () => {
  box.box.consortium.answer = { kind: 'refused', reason: 'This hospital is a member already.' };
  const refused = await administrator.call('POST', '/api/v1/proposals', { body: admission });
  assertError(refused, 409, 'CONSORTIUM_ACT_REFUSED', /^This hospital is a member already\.$/);
  box.box.consortium.answer = { kind: 'done' };
  const wrong: readonly (readonly [path: string, body: unknown])[] = [
    ['proposals', { ...admission, extra: 1 }],
    ['proposals', { kind: 'remove', institution: 'No Such' }],
    [`proposals/${id}/vote`, { approve: 'yes' }],
    ['proposals/a1/vote', { approve: true }],
    ['consortium/documents', { document: 'A0' }],
    ['consortium/documents', { document: 'a0'.repeat(7_000) }],
  ];
  box.box.consortium.acts.splice(0);
  for (const [path, body] of wrong) {
    assertError(await administrator.call('POST', `/api/v1/${path}`, { body }), 400, 'REQUEST_INVALID', /./);
  }
  assert.deepEqual(box.box.consortium.acts, []);
});

test('a candidate is asked to attest, where there is one', async () => {
  const path = `/api/v1/proposals/${id}/attestation`;
  assertError(await administrator.call('POST', path), 404, 'NOT_FOUND', /no open proposal/);
  const attested = {
    kind: 'judged' as const,
    passed: false,
    development: true,
    checks: [{ name: 'nonce', passed: false, finding: 'The quote is of another challenge.' }],
  };
  box.box.consortium.attested = attested;
  assert.deepEqual((await administrator.call('POST', path)).json, attested);
  assert.deepEqual(box.box.consortium.acts.splice(0).at(-1)?.what, id);
  assert.ok(
    box.logger.lines.some((line) => line.includes('asked to attest') && line.includes('"passed":false')),
  );
});

test('auditors look, others do not; in no consortium there is nothing to see', async () => {
  assertError(await administrator.call('GET', '/api/v1/consortium'), 503, 'NOT_ADMITTED', /no consortium/);
  const shown = exampleConsortium(Date.now());
  box.box.consortium.shown = shown;
  const auditor = await box.person(administrator, 'a.auditor', 'auditor');
  assert.deepEqual((await auditor.call('GET', '/api/v1/consortium')).json, shown);
  assertError(
    await auditor.call('POST', '/api/v1/proposals', { body: admission }),
    403,
    'NOT_AUTHORISED',
    /auditor/,
  );
  const clinician = await box.person(administrator, 'c.linician', 'clinician');
  assertError(await clinician.call('GET', '/api/v1/consortium'), 403, 'NOT_AUTHORISED', /clinician/);
});
