/** What boxes send each other fits its bounds where it is largest, and is read no further than them. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Tokenizer } from 'cborg';
import { justificationCertificatesMax, validatorsMax } from '../../firmware/src/consensus/limits.ts';
import { decodeCertificate, encodeCertificate } from '../../firmware/src/consensus/signatures.ts';
import type { Certificate } from '../../firmware/src/consensus/types.ts';
import { decodeHandover } from '../../firmware/src/handover/handover.ts';
import { handoverItemsMax, handoverBytesMax } from '../../firmware/src/handover/limits.ts';
import {
  decodeBlock,
  decodeTransaction,
  encodeBlock,
  genesisBlock,
} from '../../firmware/src/ledger/index.ts';
import {
  blockBytesMax,
  blockItemsMax,
  blockTransactionsMax,
  transactionBytesMax,
  transactionItemsMax,
} from '../../firmware/src/ledger/limits.ts';
import { restartOrderBytesMax, restartOrderItemsMax } from '../../firmware/src/restart/limits.ts';
import { decodeRestartOrder } from '../../firmware/src/restart/restart-order.ts';
import {
  decodeFinalRecord,
  encodeFinalRecord,
  decodeBlockAnswer,
  encodeBlockAnswer,
} from '../../firmware/src/validator/final-records.ts';
import {
  blockAnswerItemsMax,
  catchUpBlocksMax,
  finalRecordItemsMax,
  messageBytesMax,
  messageItemsMax,
  snapshotChunkBytesMax,
  snapshotChunkItemsMax,
} from '../../firmware/src/validator/limits.ts';
import { decodeMessage, encodeMessage } from '../../firmware/src/validator/messages.ts';
import { decodeRange } from '../../firmware/src/validator/snapshot-records.ts';
import { LedgerFixture } from '../fakes/ledger.ts';

const large = Number.MAX_SAFE_INTEGER;
const certificate: Certificate = {
  kind: 'finalize',
  epoch: large,
  view: large,
  digest: new Uint8Array(32).fill(1),
  signatures: Array.from({ length: validatorsMax }, (_, validator) => ({
    validator,
    signature: new Uint8Array(64),
  })),
};
const block = {
  header: genesisBlock(new LedgerFixture().genesis).header,
  transactions: Array.from({ length: blockTransactionsMax }, () => new Uint8Array(1024)),
};

test('the largest proposal, final block and answer are read', () => {
  assert.equal(decodeBlock(encodeBlock(block)).kind, 'block');
  assert.deepEqual(decodeCertificate(encodeCertificate(certificate)), certificate);
  const record = encodeFinalRecord({ block, certificate });
  assert.deepEqual(decodeFinalRecord(record).certificate, certificate);
  const { kind, epoch, view, digest } = certificate;
  const proposal = encodeMessage({
    type: 'proposal',
    block: encodeBlock(block),
    vote: { kind, epoch, view, digest, validator: 0, signature: new Uint8Array(64) },
    justification: Array.from({ length: justificationCertificatesMax }, () => certificate),
  });
  assert.equal(decodeMessage(proposal).kind, 'message');
  const small = encodeFinalRecord({ block: { ...block, transactions: [] }, certificate: null });
  const answer = encodeBlockAnswer(
    0,
    Array.from({ length: catchUpBlocksMax }, () => small),
  );
  assert.equal(decodeBlockAnswer(answer).records.length, catchUpBlocksMax);
});

/** A list of as many zeros as these bytes hold, of one byte each. */
function dense(bytes: number): Uint8Array {
  const list = new Uint8Array(bytes);
  list[0] = 0x9a;
  new DataView(list.buffer).setUint32(1, bytes - 5);
  return list;
}

/** How many data items were read of such bytes. */
function itemsRead(read: () => void): number {
  const next = mock.method(Tokenizer.prototype, 'next');
  try {
    read();
    return next.mock.callCount();
  } finally {
    next.mock.restore();
  }
}

test('of the densest bytes no more is read than an honest box may have to say', () => {
  const cases: readonly (readonly [name: string, itemsMax: number, read: () => void])[] = [
    ['message', messageItemsMax, () => assert.equal(decodeMessage(dense(messageBytesMax)).kind, 'refused')],
    ['block', blockItemsMax, () => assert.equal(decodeBlock(dense(blockBytesMax)).kind, 'refused')],
    [
      'transaction',
      transactionItemsMax,
      () => assert.equal(decodeTransaction(dense(transactionBytesMax)).kind, 'refused'),
    ],
    [
      'final block',
      finalRecordItemsMax,
      () => assert.throws(() => decodeFinalRecord(dense(blockBytesMax)), RangeError),
    ],
    [
      'answer',
      blockAnswerItemsMax,
      () => assert.throws(() => decodeBlockAnswer(dense(messageBytesMax)), RangeError),
    ],
    [
      'chunk',
      snapshotChunkItemsMax,
      () => assert.throws(() => decodeRange(dense(snapshotChunkBytesMax)), RangeError),
    ],
    [
      'handover',
      handoverItemsMax,
      () => assert.throws(() => decodeHandover(dense(handoverBytesMax)), RangeError),
    ],
    [
      'restart order',
      restartOrderItemsMax,
      () => assert.throws(() => decodeRestartOrder(dense(restartOrderBytesMax)), RangeError),
    ],
  ];
  for (const [name, itemsMax, read] of cases) assert.equal(itemsRead(read), itemsMax, name);
});
