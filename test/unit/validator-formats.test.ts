import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { decodeCertificate, decodeVote, noDigest } from '../../firmware/src/consensus/signatures.ts';
import { decodeBlock } from '../../firmware/src/ledger/index.ts';
import {
  decodeBlockAnswer,
  decodeBlockRequest,
  decodeFinalRecord,
  encodeBlockAnswer,
  encodeBlockRequest,
  encodeFinalRecord,
} from '../../firmware/src/validator/final-records.ts';
import type { KeptRecord } from '../../firmware/src/validator/kept-records.ts';
import { decodeKeptRecord, encodeKeptRecord, finalIn } from '../../firmware/src/validator/kept-records.ts';
import { messageBytesMax } from '../../firmware/src/validator/limits.ts';
import type { Message } from '../../firmware/src/validator/messages.ts';
import { decodeMessage, encodeMessage } from '../../firmware/src/validator/messages.ts';
import type { VoteRecord } from '../../firmware/src/validator/vote-records.ts';
import { decodeVoteRecord, encodeVoteRecord } from '../../firmware/src/validator/vote-records.ts';

interface Vectors {
  readonly block: string;
  readonly records: Record<'vote' | 'voteWithBlock' | 'certificate' | 'floor' | 'gap' | 'start', string>;
  readonly finalRecords: Record<'withCertificate' | 'without', string>;
  readonly keptRecord: string;
  readonly requests: Record<'from' | 'digest', string>;
  readonly messages: Record<Message['type'], string>;
}

async function read<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8')) as T;
}

const vectors = await read<Vectors>('wal');
const votes = await read<{ vote: string; certificate: string; digest: string }>('vote');
const vote = decodeVote(fromHex(votes.vote));
const certificate = decodeCertificate(fromHex(votes.certificate));
const blockBytes = fromHex(vectors.block);

test('records of the vote log have the bytes of the golden vectors', () => {
  const records: Record<keyof Vectors['records'], VoteRecord> = {
    vote: { type: 'vote', vote, block: null },
    voteWithBlock: { type: 'vote', vote, block: blockBytes },
    certificate: { type: 'certificate', certificate },
    floor: { type: 'floor', epoch: 3, view: 77 },
    gap: { type: 'gap' },
    start: { type: 'start', number: 9 },
  };
  for (const [name, hex] of Object.entries(vectors.records)) {
    const record = records[name as keyof Vectors['records']];
    assert.equal(toHex(encodeVoteRecord(record)), hex);
    assert.deepEqual(decodeVoteRecord(fromHex(hex)), record);
  }
});

test('final records and requests have the bytes of the golden vectors', () => {
  const decoded = decodeBlock(blockBytes);
  assert.ok(decoded.kind === 'block');
  const { block } = decoded;
  assert.equal(toHex(encodeFinalRecord({ block, certificate })), vectors.finalRecords.withCertificate);
  assert.equal(toHex(encodeFinalRecord({ block, certificate: null })), vectors.finalRecords.without);
  const nullified = { ...certificate, kind: 'nullify', digest: noDigest } as const;
  const kept: KeptRecord = { block, certificate, shown: [nullified, { ...certificate, kind: 'notarize' }] };
  assert.equal(toHex(encodeKeptRecord(kept)), vectors.keptRecord);
  assert.deepEqual(decodeKeptRecord(fromHex(vectors.keptRecord)), kept);
  assert.equal(toHex(finalIn(fromHex(vectors.keptRecord))), vectors.finalRecords.withCertificate);
  const records = Object.values(vectors.finalRecords).map(fromHex);
  assert.deepEqual(decodeBlockAnswer(encodeBlockAnswer(7, records)), {
    first: 7,
    records: records.map(decodeFinalRecord),
  });
  const requests = { from: { from: 42 }, digest: { digest: fromHex(votes.digest) } };
  for (const name of ['from', 'digest'] as const) {
    assert.equal(toHex(encodeBlockRequest(requests[name])), vectors.requests[name]);
    assert.deepEqual(decodeBlockRequest(fromHex(vectors.requests[name])), requests[name]);
  }
});

test('messages have the bytes of the golden vectors', () => {
  const messages: readonly Message[] = [
    { type: 'proposal', block: blockBytes, vote, justification: [certificate] },
    { type: 'vote', vote },
    { type: 'certificate', certificate },
    { type: 'transaction', transaction: Uint8Array.of(1, 2, 3) },
    { type: 'restart', order: Uint8Array.of(1, 2, 3) },
    { type: 'handover', signature: { epoch: 2, validator: 1, signature: vote.signature } },
    { type: 'standing', standing: { epoch: 2, finalView: 5, from: 7 }, height: 4 },
  ];
  for (const message of messages) {
    const hex = vectors.messages[message.type];
    assert.equal(toHex(encodeMessage(message)), hex);
    assert.deepEqual(decodeMessage(fromHex(hex)), { kind: 'message', message });
  }
});

test('a changed, cut or lengthened message is refused or means what its bytes say', () => {
  const samples = Object.values(vectors.messages).map(fromHex);
  fc.assert(
    fc.property(
      fc.constantFrom(...samples),
      fc.nat(),
      fc.uint8Array({ maxLength: 4 }),
      fc.nat(3),
      (sample, place, inserted, removed) => {
        const at = place % sample.length;
        const changed = Uint8Array.from([
          ...sample.subarray(0, at),
          ...inserted,
          ...sample.subarray(at + removed),
        ]);
        const decoded = decodeMessage(changed);
        if (decoded.kind === 'message') assert.equal(toHex(encodeMessage(decoded.message)), toHex(changed));
      },
    ),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) =>
      assert.ok(decodeMessage(bytes).kind === 'refused'),
    ),
  );
  assert.equal(decodeMessage(new Uint8Array(messageBytesMax + 1)).kind, 'refused');
});

test('records and requests that are none throw RangeError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.throws(() => decodeVoteRecord(bytes), RangeError);
      assert.throws(() => decodeFinalRecord(bytes), RangeError);
      assert.throws(() => decodeKeptRecord(bytes), RangeError);
      assert.throws(() => decodeBlockRequest(bytes), RangeError);
    }),
  );
  assert.throws(() => decodeBlockRequest(encodeBlockRequest({ from: -1 })), RangeError);
});
