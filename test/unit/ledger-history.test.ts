/** The history log: each header holds the root over all blocks before it, and an older one is proved from it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCanonical } from '../../firmware/src/encoding/canonical-cbor.ts';
import { merklePath, merkleRoot } from '../../firmware/src/encoding/merkle-tree.ts';
import {
  blockDigest,
  buildBlock,
  executeBlock,
  genesisBlock,
  historyRecord,
  isInHistory,
  stateEntries,
  stateFromEntries,
} from '../../firmware/src/ledger/index.ts';
import type { BlockHeader, LedgerState } from '../../firmware/src/ledger/types.ts';
import { bytesOf, LedgerFixture, verifySignature } from '../fakes/ledger.ts';

const ledger = new LedgerFixture();
const headers: BlockHeader[] = [genesisBlock(ledger.genesis).header];
const states: LedgerState[] = [ledger.initial];

function next(state: LedgerState, parent: BlockHeader) {
  return buildBlock(state, parent, {
    view: parent.view + 1,
    time: parent.time + 10_000,
    proposer: 'south',
    candidates: [],
    verify: verifySignature,
  });
}

for (let height = 1; height <= 21; height++) {
  const { block, state } = next(states.at(-1) as LedgerState, headers.at(-1) as BlockHeader);
  headers.push(block.header);
  states.push(state);
}
const digests = headers.map(blockDigest);
const head = headers.at(-1) as BlockHeader;

test('each header holds the root over the digests of all blocks before it', () => {
  for (const { height, historyRoot } of headers) {
    assert.deepEqual(historyRoot, merkleRoot(digests.slice(0, height)));
  }
});

test('an older block is proved from a newer header', () => {
  for (const newer of headers.slice(1)) {
    for (const older of headers.slice(0, newer.height)) {
      const path = merklePath(digests.slice(0, newer.height), older.height);
      assert.equal(isInHistory(newer, older, path), true);
    }
  }
});

test('a block that never was, or was elsewhere, is not proved', () => {
  const older = headers[5] as BlockHeader;
  const path = merklePath(digests.slice(0, head.height), 5);
  assert.equal(isInHistory(head, { ...older, time: older.time + 1 }, path), false);
  assert.equal(isInHistory(head, { ...older, stateRoot: bytesOf('forged') }, path), false);
  assert.equal(isInHistory(head, headers[6] as BlockHeader, path), false);
  assert.equal(isInHistory(head, older, path.slice(1)), false);
  assert.equal(isInHistory(head, older, [...path, bytesOf('more')]), false);
  assert.equal(isInHistory(head, older, []), false);
  // Neither itself, nor what comes later, is a header's history.
  assert.equal(isInHistory(older, older, path), false);
  assert.equal(isInHistory(older, head, path), false);
  // Nothing comes before block 0.
  assert.equal(isInHistory(headers[0] as BlockHeader, headers[0] as BlockHeader, []), false);
});

test('a box that begins with the entries of a state goes on with its history', () => {
  const state = states[13] as LedgerState;
  const restored = stateFromEntries(ledger.chain, stateEntries(state));
  const { block } = next(restored, headers[13] as BlockHeader);
  assert.deepEqual(block.header, headers[14]);
  assert.equal(
    executeBlock(state, headers[13] as BlockHeader, block, { verify: verifySignature }).kind,
    'valid',
  );
});

test('a record with too few or too many subtrees for its size is refused', () => {
  const record = { size: 5, peaks: [bytesOf('a'), bytesOf('b')] };
  assert.deepEqual(historyRecord.decode(historyRecord.encode(record)), { kind: 'decoded', value: record });
  for (const size of [4, 7, 0]) {
    assert.equal(historyRecord.decode(encodeCanonical({ ...record, size })).kind, 'refused');
  }
});
