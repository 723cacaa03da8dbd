/** The wallet API over real HTTPS, held against its contract. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import type { ErrorAnswer } from '../../firmware/src/http/contract.ts';
import { walletActsPerMinuteMax, walletSubmitMsMax } from '../../firmware/src/http/limits.ts';
import * as contract from '../../firmware/wallet/http-contract.ts';
import { ConsoleFixture } from '../support/console-fixture.ts';
import type { Answer, HttpsClient } from '../support/https-client.ts';
import { ManualClock } from '../support/manual-clock.ts';

const clock = new ManualClock();
let box: ConsoleFixture;
let wallet: HttpsClient;

before(async () => {
  box = await ConsoleFixture.start({ clock });
  wallet = box.client();
});

after(async () => box.stop());

const path = (name: keyof typeof contract.walletPaths) =>
  contract.walletApiPrefix + contract.walletPaths[name];

function assertAnswer({ status, json }: Answer, schema: TSchema): void {
  assert.equal(status, 200, JSON.stringify(json));
  assert.ok(Value.Check(schema, json), JSON.stringify(json));
}

test('each answer is the one of the contract', async () => {
  assertAnswer(await wallet.call('GET', path('genesis')), contract.GenesisAnswerSchema);
  assertAnswer(await wallet.call('GET', path('head')), contract.HeadAnswerSchema);
  for (const [epoch, handover] of [
    [2, 'a0'],
    [3, null],
  ] as const) {
    const answer = await wallet.call('GET', `${path('handover')}?epoch=${epoch}`);
    assertAnswer(answer, contract.HandoverAnswerSchema);
    assert.deepEqual(answer.json, { handover });
  }
  const proof = await wallet.call(
    'GET',
    `${path('proof')}?key=institution/north&key=open/${'0'.repeat(64)}/1`,
  );
  assertAnswer(proof, contract.ProofAnswerSchema);
  assert.deepEqual(
    (proof.json as contract.ProofAnswer).proofs.map(({ key }) => key),
    ['institution/north', `open/${'0'.repeat(64)}/1`],
  );
  assertAnswer(
    await wallet.call('GET', `${path('proof')}?key=institution/north`),
    contract.ProofAnswerSchema,
  );
  assertAnswer(await wallet.call('POST', path('challenge'), { body: {} }), contract.ChallengeAnswerSchema);
  const transaction = await wallet.call('POST', path('transactions'), { body: { transaction: 'a0' } });
  assertAnswer(transaction, contract.TransactionAnswerSchema);
  assert.deepEqual(box.wallet.submitted, [Uint8Array.of(0xa0)]);
});

test('a refused transaction is an answer, with its reason', async () => {
  box.wallet.answer = { kind: 'refused', reason: 'the seq is not the next one' };
  const answer = await wallet.call('POST', path('transactions'), { body: { transaction: 'a0' } });
  assertAnswer(answer, contract.TransactionAnswerSchema);
  assert.deepEqual(answer.json, box.wallet.answer);
});

test('an account that owns nothing and one that is not known here answer alike', async () => {
  const mailbox = async (spend: string, signature: string) =>
    wallet.call('POST', path('mailbox'), { body: { spend, nonce: '04'.repeat(16), signature } });
  const owner = await mailbox('01'.repeat(32), '01'.repeat(64));
  assertAnswer(owner, contract.MailboxAnswerSchema);
  assert.equal((owner.json as contract.MailboxAnswer).entries.length, 1);
  const stranger = await mailbox('02'.repeat(32), '01'.repeat(64));
  assertAnswer(stranger, contract.MailboxAnswerSchema);
  assert.deepEqual(stranger.json, { entries: [] });
  assert.equal((await mailbox('01'.repeat(32), '02'.repeat(64))).status, 401);
});

test('a ticket binds, or does not, without a word on why', async () => {
  const bind = async (ticket: string) =>
    wallet.call('POST', path('bindings'), { body: { ticket, address: '0102' } });
  const bound = await bind('known-ticket');
  assertAnswer(bound, contract.BindingAnswerSchema);
  assert.deepEqual(bound.json, { kind: 'bound' });
  const refused = await bind('unknown-ticket');
  assertAnswer(refused, contract.BindingAnswerSchema);
  assert.equal((refused.json as { kind: string }).kind, 'refused');
});

test('what is not of the contract is refused, and named', async () => {
  const refused = async (method: string, url: string, body?: unknown) => {
    const { status, json } = await wallet.call(method, url, body === undefined ? {} : { body });
    assert.equal(status, 400, url);
    return (json as ErrorAnswer).message;
  };
  assert.match(await refused('GET', path('proof')), /lacks the field key/);
  assert.match(await refused('GET', `${path('proof')}?key=..%2Fsecret`), /key/);
  const many = Array.from({ length: 100 }, (_, i) => `key=institution/${i}`).join('&');
  assert.match(await refused('GET', `${path('proof')}?${many}`), /key/);
  assert.match(await refused('POST', path('transactions'), { transaction: 'XY' }), /transaction/);
  assert.match(await refused('POST', path('challenge'), { please: true }), /unknown field please/);
  assert.match(await refused('POST', path('mailbox'), { spend: '01' }), /nonce|signature|spend/);
});

test('a transaction that is not final in time is told so, and may still become it', async () => {
  box.wallet.answer = undefined;
  const waiting = wallet.call('POST', path('transactions'), { body: { transaction: 'a1' } });
  await submitted('a1');
  clock.advance(walletSubmitMsMax);
  const { status, json } = await waiting;
  assert.equal(status, 503);
  assert.equal((json as ErrorAnswer).code, 'LEDGER_STALE');
});

test('a wallet that hung up, and a server that stops, hold no transaction open', async () => {
  const other = await ConsoleFixture.start();
  other.wallet.answer = undefined;
  const ended: unknown[] = [];
  other.wallet.onAbort = (reason) => ended.push(reason);
  const gone = other.client();
  const call = gone.call('POST', path('transactions'), { body: { transaction: 'a2' } });
  const refusal = assert.rejects(call, { code: 'ECONNRESET' });
  while (other.wallet.submitted.length < 1) await new Promise((resolve) => setImmediate(resolve));
  gone.close();
  await refusal;
  while (ended.length < 1) await new Promise((resolve) => setImmediate(resolve));

  const waiting = other.client().call('POST', path('transactions'), { body: { transaction: 'a3' } });
  while (other.wallet.submitted.length < 2) await new Promise((resolve) => setImmediate(resolve));
  const stopped = other.server.stop();
  assert.equal((await waiting).status, 503);
  await stopped;
  assert.equal(ended.length, 2);
  await other.stop();
});

test('one address asks so often and no more', async () => {
  const statuses: number[] = [];
  for (let i = 0; i <= walletActsPerMinuteMax; i++) {
    statuses.push((await wallet.call('POST', path('challenge'), { body: {} })).status);
  }
  assert.equal(statuses.at(0), 200);
  assert.equal(statuses.at(-1), 429);
  const { status } = await wallet.call('GET', path('head'));
  assert.equal(status, 200, 'reading the ledger goes on');
});

async function submitted(hex: string): Promise<void> {
  const wanted = Buffer.from(hex, 'hex');
  while (!box.wallet.submitted.some((each) => wanted.equals(each))) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
