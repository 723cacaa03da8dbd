/** What a block may cost those who check it, whoever fills it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildBlock,
  encodeTransaction,
  executeBlock,
  genesisBlock,
  transactionsRoot,
} from '../../firmware/src/ledger/index.ts';
import { blockKeyChangesMax } from '../../firmware/src/ledger/limits.ts';
import type { Block } from '../../firmware/src/ledger/types.ts';
import { boxOf, genesisTime, LedgerFixture, signerOf, verifySignature } from '../fakes/ledger.ts';
import { certifiedKeys, ConsortiumFixture } from '../fakes/ledger-consortium.ts';

const ledger = new LedgerFixture();
const consortium = new ConsortiumFixture(ledger);
const genesis = genesisBlock(ledger.genesis).header;
const { transaction: own } = boxOf('west');
const registration = encodeTransaction(ledger.register('south', 'one', [signerOf('owner')]).transaction);

/** One renewal after the other of the same institution, each with keys of its own. */
const renewals = Array.from({ length: blockKeyChangesMax + 2 }, (_, index) =>
  encodeTransaction(
    consortium.update(
      'west',
      index + 2,
      certifiedKeys(ledger.chain, 'west', `renewal ${index}`, { signers: { transaction: own } }),
      own,
    ),
  ),
);

function build(candidates: readonly Uint8Array[]) {
  const place = { view: 1, time: genesisTime + 1000, proposer: 'north' };
  return buildBlock(ledger.initial, genesis, { ...place, candidates, verify: verifySignature });
}

test('an institution that renews its keys over and over fills no block, and holds nothing else up', () => {
  const built = build([...renewals, registration]);
  assert.deepEqual(built.block.transactions, [...renewals.slice(0, blockKeyChangesMax), registration]);
  assert.deepEqual(built.postponed, renewals.slice(blockKeyChangesMax));
  assert.deepEqual(built.refused, []);
  const executed = executeBlock(ledger.initial, genesis, built.block, { verify: verifySignature });
  assert.equal(executed.kind, 'valid');
});

test('key changes that are refused count like those that apply: each costs as much', () => {
  const wrong = Array.from({ length: blockKeyChangesMax + 2 }, (_, index) => {
    const keys = certifiedKeys(ledger.chain, 'west', `wrong ${index}`, {
      signers: { transaction: own },
      certificate: new Uint8Array(64),
    });
    return encodeTransaction(consortium.update('west', 2, keys, own));
  });
  const built = build([...wrong, registration]);
  assert.equal(built.refused.length, blockKeyChangesMax);
  assert.deepEqual(built.postponed, wrong.slice(blockKeyChangesMax));
  assert.deepEqual(built.block.transactions, [registration]);
});

test('a leader that puts more of them into its block gets no vote for it', () => {
  const { block } = build(renewals);
  const transactions = renewals.slice(0, blockKeyChangesMax + 1);
  const header = { ...block.header, transactionsRoot: transactionsRoot(transactions) };
  const overfull: Block = { header, transactions };
  const executed = executeBlock(ledger.initial, genesis, overfull, { verify: verifySignature });
  assert.equal(executed.kind === 'invalid' && executed.reason, 'too-large');
});
