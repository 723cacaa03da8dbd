import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeTransaction, encodeTransaction } from '../../firmware/src/ledger/index.ts';
import { decodedTransactionsBytesMax, transactionBytesMax } from '../../firmware/src/ledger/limits.ts';
import { RecentlyDecoded } from '../../firmware/src/ledger/recently-decoded.ts';
import type { Transaction, TransactionId } from '../../firmware/src/ledger/types.ts';
import { LedgerFixture, signerOf } from '../fakes/ledger.ts';

const fixture = new LedgerFixture();
const { transaction } = fixture.register('north', 'decoded', [signerOf('owner')]);
const idOf = (number: number): TransactionId => String(number) as TransactionId;

test('the same bytes are decoded once', () => {
  const bytes = encodeTransaction(transaction);
  const [first, second] = [decodeTransaction(bytes), decodeTransaction(bytes.slice())];
  assert.equal(first.kind, 'transaction');
  assert.equal(second.kind, 'transaction');
  assert.equal(
    (second as { transaction: Transaction }).transaction,
    (first as { transaction: Transaction }).transaction,
  );
});

test('of two that differ in a byte each is what it decodes to', () => {
  const bytes = encodeTransaction(transaction);
  const other = encodeTransaction({ ...transaction, signatures: [new Uint8Array(64)] });
  for (const encoded of [bytes, other, bytes]) {
    const decoded = decodeTransaction(encoded);
    assert.equal(decoded.kind, 'transaction');
    assert.deepEqual(encodeTransaction((decoded as { transaction: Transaction }).transaction), encoded);
  }
});

test('what was refused is refused again, at any length', () => {
  for (const bytes of [new Uint8Array(10), new Uint8Array(transactionBytesMax + 1)]) {
    for (let time = 0; time < 2; time++) assert.equal(decodeTransaction(bytes).kind, 'refused');
  }
});

test('the oldest are forgotten, so that their bytes stay bounded', () => {
  const recent = new RecentlyDecoded();
  const bytes = transactionBytesMax;
  const room = Math.floor(decodedTransactionsBytesMax / bytes);
  for (let number = 0; number < room; number++) recent.add(idOf(number), transaction, bytes);
  assert.notEqual(recent.get(idOf(0)), undefined);
  recent.add(idOf(room), transaction, bytes);
  assert.equal(recent.get(idOf(0)), undefined);
  assert.notEqual(recent.get(idOf(1)), undefined);
  assert.notEqual(recent.get(idOf(room)), undefined);
});
