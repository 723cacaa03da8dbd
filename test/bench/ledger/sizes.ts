/** What a study and its accesses take: bytes on the ledger for ever, and in the state that each box keeps at hand. */
import { verifyEd25519 } from '../../../firmware/src/box/signatures.ts';
import {
  buildBlock,
  bulkLeaves,
  encodeEntry,
  encodeTransaction,
  genesisBlock,
  stateEntries,
  stateFromEntries,
  stateKeys,
  studyId,
  toStudyId,
  transactionWork,
} from '../../../firmware/src/ledger/index.ts';
import {
  blockTransactionBytesMax,
  blockWorkMax,
  bulkEntriesMax,
} from '../../../firmware/src/ledger/limits.ts';
import type {
  LedgerState,
  StudyLeaf,
  StudyRegisterBulk,
  Transaction,
} from '../../../firmware/src/ledger/types.ts';
import { merklePath } from '../../../firmware/src/encoding/merkle-tree.ts';
import { grantNoteBytes } from '../../../firmware/src/protocol/grant-note.ts';
import { encodeKeptRecord } from '../../../firmware/src/validator/kept-records.ts';
import { bytesOf, genesisTime, LedgerFixture, numbered, signerOf } from '../../fakes/ledger.ts';
import { heapInUse } from '../../support/heap.ts';

export interface Sizes {
  /** A registered study's part of a block full of registrations, in bulk with `bulkEntriesMax` studies each and singly. */
  readonly bytesPerStudyBulk: number;
  readonly bytesPerStudySingle: number;
  /** Encoded transactions: a grant that opens its study up from its batch, one of a study that has its record. */
  readonly grantWithLeaf: number;
  readonly grant: number;
  readonly open: number;
  readonly close: number;
  readonly revoke: number;
  /** An empty block with the certificate of four validators, as it stands in the block log. */
  readonly emptyBlock: number;
  /** Of a study that was granted, opened, closed and revoked: records in the state, and bytes of their keys and values. */
  readonly usedStudyRecords: number;
  readonly usedStudyStateBytes: number;
  /** Of a batch's one record, key and value. */
  readonly batchStateBytes: number;
  /** What a record takes in memory, with its part of the tree; a study's, which is the largest. */
  readonly memoryPerRecord: number;
}

/** Records in the state when its memory is measured. */
const recordsMeasured = 50_000;

const ledger = new LedgerFixture();
const parent = genesisBlock(ledger.genesis).header;
const certificate = {
  kind: 'finalize',
  epoch: 0,
  view: 1,
  digest: new Uint8Array(32),
  signatures: [0, 1, 2].map((validator) => ({ validator, signature: new Uint8Array(64) })),
} as const;

/** The state after these and the block as it stands in the block log. @throws Error if one does not apply. */
function blockOf(
  state: LedgerState,
  transactions: readonly Transaction[],
): { state: LedgerState; bytes: number } {
  const built = buildBlock(state, parent, {
    view: 1,
    time: genesisTime + 1000,
    proposer: 'north',
    candidates: transactions.map(encodeTransaction),
    verify: verifyEd25519,
  });
  if (built.transactions.length !== transactions.length)
    throw new Error('a transaction does not fit or apply');
  const shown = [{ ...certificate, kind: 'notarize' as const }];
  return { state: built.state, bytes: encodeKeptRecord({ block: built.block, certificate, shown }).length };
}

function bulk(batch: number, owner: Uint8Array): { transaction: Transaction; leaf: StudyLeaf } {
  const entries = Array.from({ length: bulkEntriesMax }, (_, index) =>
    encodeEntry({
      commitment: numbered('commitment', index),
      ownerKey: index === 0 ? owner : numbered('unused', index),
      tag: index % 256,
      noteHash: numbered('note', index),
    }),
  );
  const body: StudyRegisterBulk = {
    type: 'study.registerBulk',
    chain: ledger.chain,
    validUntil: genesisTime + 86_400_000,
    source: 'north',
    batch: bytesOf(`sizes ${batch}`).slice(0, 16),
    ephemeral: bytesOf('ephemeral'),
    entries: new Uint8Array(Buffer.concat(entries)),
  };
  const leaves = bulkLeaves(body.entries);
  const leaf = {
    source: 'north',
    batch: body.batch,
    index: 0,
    entry: leaves[0]!,
    path: merklePath(leaves, 0),
  };
  return { transaction: ledger.sign(body, ledger.box('north').transaction), leaf };
}

/** Key and value of all records, but for those of the consortium that every state has, and the one count of each member. */
function recordsOf(state: LedgerState): { readonly count: number; readonly bytes: number } {
  const before = new Set([...stateEntries(ledger.initial)].map(([key]) => key));
  const added = [...stateEntries(state)].filter(([key]) => !before.has(key) && !key.startsWith('records/'));
  return {
    count: added.length,
    bytes: added.reduce((sum, [key, value]) => sum + key.length + value.length, 0),
  };
}

/** A study's record, as often as it takes to see what one needs. */
function memoryPerRecord(state: LedgerState): number {
  const entries = [...stateEntries(state)];
  const study = entries.find(([key]) => key.startsWith('study/'))!;
  const before = heapInUse();
  const many = Array.from({ length: recordsMeasured }, (_, index): readonly [string, Uint8Array] => [
    stateKeys.study(toStudyId(numbered('measured', index))),
    study[1].slice(),
  ]);
  const filled = stateFromEntries(ledger.chain, [...entries, ...many]);
  const { root } = filled;
  many.length = 0;
  const bytes = (heapInUse() - before) / recordsMeasured;
  if (root.length !== 32 || filled.root !== root) throw new Error('the state was not kept');
  return bytes;
}

export function measureSizes(): Sizes {
  const owner = signerOf('sizes owner');
  const grantee = signerOf('sizes grantee');
  const { transaction, leaf } = bulk(0, owner.publicKey);
  const inBulk = Math.floor(blockTransactionBytesMax / encodeTransaction(transaction).length);
  const bulks = Array.from({ length: inBulk }, (_, batch) => bulk(batch, owner.publicKey).transaction);
  const single = (index: number): Transaction =>
    ledger.register('north', `single ${index}`, [signerOf(`single ${index}`)]).transaction;
  const inWork = Math.floor(blockWorkMax / transactionWork(single(0).body));
  const singles = Array.from({ length: inWork }, (_, index) => single(index));

  const study = studyId(ledger.chain, leaf.source, leaf.batch, leaf.index);
  const note = new Uint8Array(grantNoteBytes);
  const grantBody = ledger.grantBody(study, 1, grantee.publicKey, { leaf, note });
  const openBody = ledger.openBody('north', grantBody, 1, leaf.entry.slice(0, 32));
  const source = ledger.box('north').transaction;
  const grant = ledger.sign(grantBody, owner);
  const open = ledger.sign(openBody, grantee, source);
  const close = ledger.sign(ledger.closeBody(openBody), grantee, source);
  const revoke = ledger.sign(ledger.revokeBody(study, { upTo: 1 }), owner);
  const registered = blockOf(ledger.initial, [transaction]).state;
  const used = blockOf(blockOf(registered, [grant, open, close]).state, [revoke]).state;
  const length = (one: Transaction): number => encodeTransaction(one).length;
  const batchRecords = recordsOf(registered);
  const records = recordsOf(used);
  const { leaf: _leaf, ...without } = grantBody;
  return {
    bytesPerStudyBulk: blockOf(ledger.initial, bulks).bytes / (inBulk * bulkEntriesMax),
    bytesPerStudySingle: blockOf(ledger.initial, singles).bytes / singles.length,
    grantWithLeaf: length(grant),
    grant: length(ledger.sign(without, owner)),
    open: length(open),
    close: length(close),
    revoke: length(revoke),
    emptyBlock: blockOf(ledger.initial, []).bytes,
    usedStudyRecords: records.count - batchRecords.count,
    usedStudyStateBytes: records.bytes - batchRecords.bytes,
    batchStateBytes: batchRecords.bytes,
    memoryPerRecord: memoryPerRecord(used),
  };
}
