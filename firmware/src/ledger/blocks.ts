/** Blocks as bytes, and their digests: canonical CBOR, read strictly (docs/formats.md, "Block"). */
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import { hash } from '../encoding/hash.ts';
import { emptyFrontier, frontierRoot } from '../encoding/merkle-frontier.ts';
import { merkleRoot } from '../encoding/merkle-tree.ts';
import {
  boundedBytesField,
  bytesField,
  decodeStrictly,
  institutionIdField,
  integerField,
  listField,
  mapField,
  ShapeError,
  timeField,
} from './fields.ts';
import { chainId, genesisState } from './genesis.ts';
import {
  blockBytesMax,
  blockTransactionBytesMax,
  blockTransactionsMax,
  transactionBytesMax,
  blockItemsMax,
} from './limits.ts';
import type { DecodeRefusal } from './refusals.ts';
import type { Block, BlockHeader, Genesis } from './types.ts';

const counterMax = Number.MAX_SAFE_INTEGER;

/** RFC 9162 Merkle tree hash over the encoded transactions. 32 bytes. */
export function transactionsRoot(transactions: readonly Uint8Array[]): Uint8Array {
  return merkleRoot(transactions);
}

/** Canonical CBOR of the header: what the digest is made of. */
export function encodeHeader(header: BlockHeader): Uint8Array {
  return encodeCanonical({ ...header });
}

/** H("block", canonical header): what validators vote on. 32 bytes. */
export function blockDigest(header: BlockHeader): Uint8Array {
  return hash('block', encodeHeader(header));
}

export function encodeBlock(block: Block): Uint8Array {
  return encodeCanonical({ header: { ...block.header }, transactions: block.transactions });
}

function readHeader(value: CborValue): BlockHeader {
  const map = mapField(value, 'header', [
    'chain',
    'epoch',
    'height',
    'view',
    'parent',
    'parentView',
    'time',
    'proposer',
    'transactionsRoot',
    'historyRoot',
    'stateRoot',
  ]);
  const height = integerField(map.height, 'header.height', 0, counterMax);
  return {
    chain: bytesField(map.chain, 'header.chain', 32),
    epoch: integerField(map.epoch, 'header.epoch', 0, counterMax),
    height,
    view: integerField(map.view, 'header.view', 0, counterMax),
    parent: bytesField(map.parent, 'header.parent', 32),
    parentView: integerField(map.parentView, 'header.parentView', 0, counterMax),
    time: timeField(map.time, 'header.time'),
    // Nobody proposed block 0.
    proposer: height === 0 ? noProposer(map.proposer) : institutionIdField(map.proposer, 'header.proposer'),
    transactionsRoot: bytesField(map.transactionsRoot, 'header.transactionsRoot', 32),
    historyRoot: bytesField(map.historyRoot, 'header.historyRoot', 32),
    stateRoot: bytesField(map.stateRoot, 'header.stateRoot', 32),
  };
}

function noProposer(value: CborValue): string {
  if (value !== '') throw new ShapeError('header.proposer: empty text expected in block 0');
  return '';
}

function readBlock(value: CborValue): Block {
  const map = mapField(value, 'block', ['header', 'transactions']);
  let bytes = 0;
  const transactions = listField(map.transactions, 'transactions', 0, blockTransactionsMax).map(
    (item, index) => {
      const transaction = boundedBytesField(item, `transactions[${index}]`, 1, transactionBytesMax);
      bytes += transaction.length;
      return transaction;
    },
  );
  if (bytes > blockTransactionBytesMax) {
    throw new ShapeError(`transactions: ${blockTransactionBytesMax} bytes at most expected`);
  }
  return { header: readHeader(map.header), transactions };
}

const extent = { bytesMax: blockBytesMax, itemsMax: blockItemsMax };

/** Strict reading of a header's canonical CBOR, for light clients. */
export function decodeHeader(
  bytes: Uint8Array,
): { readonly kind: 'header'; readonly header: BlockHeader } | DecodeRefusal {
  const decoded = decodeStrictly(bytes, extent, readHeader);
  return decoded.kind === 'refused' ? decoded : { kind: 'header', header: decoded.value };
}

/** Strict reading within the size limits; whether the block is valid is `executeBlock`'s to say. */
export function decodeBlock(
  bytes: Uint8Array,
): { readonly kind: 'block'; readonly block: Block } | DecodeRefusal {
  const decoded = decodeStrictly(bytes, extent, readBlock);
  return decoded.kind === 'refused' ? decoded : { kind: 'block', block: decoded.value };
}

/** Block 0: no transactions, no proposer, the genesis time, the initial state's root. */
export function genesisBlock(genesis: Genesis): Block {
  const transactions: readonly Uint8Array[] = [];
  return {
    header: {
      chain: chainId(genesis),
      epoch: 0,
      height: 0,
      view: 0,
      parent: new Uint8Array(32),
      parentView: 0,
      time: genesis.time,
      proposer: '',
      transactionsRoot: transactionsRoot(transactions),
      historyRoot: frontierRoot(emptyFrontier),
      stateRoot: genesisState(genesis).root,
    },
    transactions,
  };
}
