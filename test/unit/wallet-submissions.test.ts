import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  walletLeftMs,
  walletRevocationsWaitingMax,
  walletTransactionsWaitingMax,
  walletTransactionValidMsMax,
} from '../../firmware/src/box/limits.ts';
import { WalletSubmissions } from '../../firmware/src/box/wallet-submissions.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { encodeTransaction } from '../../firmware/src/ledger/index.ts';
import type { StudyId } from '../../firmware/src/ledger/types.ts';
import type { Submitted } from '../../firmware/src/ports.ts';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import { genesisTime, LedgerFixture, signerOf, verifySignature } from '../fakes/ledger.ts';
import { transferBody } from '../fakes/ledger-studies.ts';
import { applied } from '../support/ledger-outcome.ts';
import { ManualClock } from '../support/manual-clock.ts';

const ledger = new LedgerFixture();
const owner = signerOf('owner');
const next = signerOf('next');
const registered = ledger.register('south', 'one', [owner]);
const state = applied(ledger.initial, registered.transaction);
const known = registered.ids[0] as StudyId;
const unknown = ledger.register('south', 'never', [owner]).ids[0] as StudyId;
const settled: Submitted = { kind: 'final', height: 1, time: 1 };

/** Valid for ten minutes from the clock's beginning, each another one. */
function revocation(clock: ManualClock, number: number, study = unknown): Uint8Array {
  const validUntil = clock.now() + walletTransactionValidMsMax - number;
  return encodeTransaction(ledger.sign(ledger.revokeBody(study, { upTo: 1 }, { validUntil }), owner));
}

function transfer(clock: ManualClock, number: number): Uint8Array {
  const validUntil = clock.now() + walletTransactionValidMsMax - number;
  return encodeTransaction(ledger.sign(transferBody(ledger, unknown, next, { validUntil }), owner, next));
}

/** A ledger that takes nothing until it is told to, and wallets that hang up. */
function fixture() {
  const clock = new ManualClock();
  const asked: Uint8Array[] = [];
  let isTaking = false;
  const submissions = new WalletSubmissions({
    ledger: {
      head: () => ({ height: 1, time: genesisTime, digest: new Uint8Array(32) }),
      state: () => state,
      submit: (bytes, signal) => {
        asked.push(bytes);
        if (isTaking) return Promise.resolve(settled);
        return new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason as Error));
        });
      },
    },
    clock,
    verify: verifySignature,
  });
  const hangUp = new AbortController();
  return {
    clock,
    asked,
    take: () => (isTaking = true),
    submit: (bytes: Uint8Array) => submissions.submit(bytes, hangUp.signal),
    hangUp: () => hangUp.abort(new AppError('BUSY', 'the wallet hung up')),
  };
}

test('strangers fill the part of wallets and no more; it is free again a while after they have gone', async () => {
  const { clock, asked, take, submit, hangUp } = fixture();
  const left: Promise<unknown>[] = [];
  for (let number = 0; number < walletRevocationsWaitingMax; number++)
    left.push(assert.rejects(submit(revocation(clock, number)), { code: 'BUSY' }));
  const one = revocation(clock, walletRevocationsWaitingMax);
  await assert.rejects(submit(one), { code: 'BUSY' });
  assert.equal(asked.length, walletRevocationsWaitingMax);
  // What applies is brought all the same.
  left.push(assert.rejects(submit(revocation(clock, 0, known)), { code: 'BUSY' }));
  assert.equal(asked.length, walletRevocationsWaitingMax + 1);
  // What waits already may be asked for again, and other kinds have room of their own.
  left.push(assert.rejects(submit(revocation(clock, 0)), { code: 'BUSY' }));
  for (let number = 0; number < walletTransactionsWaitingMax; number++)
    left.push(assert.rejects(submit(transfer(clock, number)), { code: 'BUSY' }));
  await assert.rejects(submit(transfer(clock, walletTransactionsWaitingMax)), { code: 'BUSY' });
  hangUp();
  await Promise.all(left);
  take();
  clock.advance(walletLeftMs - 1);
  await assert.rejects(submit(one), { code: 'BUSY' });
  clock.advance(1);
  assert.deepEqual(await submit(one), settled);
});

test('what is settled takes no room', async () => {
  const { clock, take, submit } = fixture();
  take();
  for (let number = 0; number < 2 * walletRevocationsWaitingMax; number++)
    assert.deepEqual(await submit(revocation(clock, number)), settled);
});

test('what is no transaction of an owner, or valid for long, never reaches the ledger', async () => {
  const { clock, asked, submit } = fixture();
  assert.equal((await submit(utf8('no transaction'))).kind, 'refused');
  assert.deepEqual(await submit(revocation(clock, -1)), { kind: 'refused', reason: 'valid-too-long' });
  const amendment = ledger.amend('south', known, 2, { validUntil: clock.now() + 60_000 });
  const signed = encodeTransaction(amendment);
  assert.deepEqual(await submit(signed), { kind: 'refused', reason: 'not-an-owners' });
  assert.deepEqual(asked, []);
});
