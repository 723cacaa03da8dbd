/**
 * Writes the golden vectors of the ledger anew from the story of test/support/ledger-story.ts: run it when a format was
 * changed on purpose, and say so in the commit. What it writes, check_ledger.py recomputes without any of this code.
 */
import { writeFileSync } from 'node:fs';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { merkleRoot } from '../../firmware/src/encoding/merkle-tree.ts';
import {
  blockDigest,
  bulkLeaves,
  chainId,
  encodeBlock,
  encodeGenesis,
  encodeTransaction,
  formatGenesis,
  genesisState,
  basisId,
  keyPurposes,
  keysMessage,
  noChain,
  openId,
  possessionMessage,
  proposalId,
  reassignmentId,
  signingMessage,
  stateEntries,
  studyId,
  transactionId,
} from '../../firmware/src/ledger/index.ts';
import type { TransactionBody } from '../../firmware/src/ledger/types.ts';
import { tellLedgerStory } from '../support/ledger-story.ts';
import { vectorValueOf } from '../support/vector-value.ts';

const bytesNote = 'A byte string stands as {"hex": …}. check_ledger.py recomputes all of it.';

function write(name: string, description: string, content: object): void {
  const text = JSON.stringify({ description: `${description} ${bytesNote}`, ...content }, null, 2);
  writeFileSync(new URL(name, import.meta.url), `${text}\n`);
}

function idsOf(body: TransactionBody): object {
  if (body.type === 'study.register') {
    return { studyIds: body.entries.map((_, index) => studyId(body.chain, body.source, body.batch, index)) };
  }
  if (body.type === 'study.registerBulk') {
    const ids = bulkLeaves(body.entries).map((_, index) =>
      studyId(body.chain, body.source, body.batch, index),
    );
    return { studyIds: ids, root: toHex(merkleRoot(bulkLeaves(body.entries))) };
  }
  if (body.type === 'access.grant' || body.type === 'access.refer' || body.type === 'access.emergency') {
    return { basisId: basisId(body) };
  }
  if (body.type === 'institution.propose') return { proposalId: proposalId(body) };
  if (body.type === 'study.reassign') return { reassignmentId: toHex(reassignmentId(body)) };
  return body.type === 'access.open' ? { openId: openId(body) } : {};
}

const { ledger, transactions, blocks, state } = tellLedgerStory();
const { genesis } = ledger;
const encodedGenesis = toHex(encodeGenesis(genesis));

write('genesis.json', 'Genesis document: its JSON, its canonical CBOR, the chain that follows.', {
  json: formatGenesis(genesis),
  value: vectorValueOf(encodedGenesis),
  encoded: encodedGenesis,
  chain: toHex(chainId(genesis)),
  stateRoot: toHex(genesisState(genesis).root),
  keysMessages: genesis.institutions.map(({ id, keys }) => ({
    institution: id,
    message: toHex(keysMessage(id, keys)),
    possession: Object.fromEntries(
      keyPurposes.map((purpose) => [purpose, toHex(possessionMessage(noChain, id, purpose, keys))]),
    ),
  })),
});

write('transaction.json', 'One transaction of each type, of the chain of genesis.json.', {
  transactions: transactions.map(({ name, transaction }) => {
    const encoded = encodeTransaction(transaction);
    return {
      name,
      value: vectorValueOf(toHex(encoded)),
      encoded: toHex(encoded),
      id: transactionId(encoded),
      signingMessage: toHex(signingMessage(transaction.body)),
      ...idsOf(transaction.body),
    };
  }),
});

write('block.json', 'Block 0 of genesis.json and the blocks of the transactions of transaction.json.', {
  blocks: blocks.map((block) => {
    const encoded = toHex(encodeBlock(block));
    return {
      name: `block ${block.header.height}`,
      value: vectorValueOf(encoded),
      encoded,
      digest: toHex(blockDigest(block.header)),
    };
  }),
});

write(
  'state-tree-records.json',
  'The state after the blocks of block.json: every kind of record, and the root of all of them.',
  {
    records: [...stateEntries(state)]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => ({ key, value: vectorValueOf(toHex(value)), encoded: toHex(value) })),
    root: toHex(state.root),
  },
);
