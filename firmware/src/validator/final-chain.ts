/** The final blocks on disk and the state after the newest: what `Ledger` shows to the rest of the box. */
import { equalBytes, toHex } from '../encoding/bytes.ts';
import { verifyCertificate } from '../consensus/signatures.ts';
import type { Certificate } from '../consensus/types.ts';
import { AppError } from '../errors.ts';
import {
  blockDigest,
  decodeTransaction,
  executeBlock,
  genesisBlock,
  genesisState,
  stateChanges,
  transactionId,
} from '../ledger/index.ts';
import type {
  Block,
  EpochRecord,
  Genesis,
  LedgerState,
  Transaction,
  TransactionId,
} from '../ledger/types.ts';
import type { FinalBlock, LedgerHead, Logger, PrunableLog, VerifySignature } from '../ports.ts';
import { baseOf, installSnapshot } from './chain-base.ts';
import type { Electorate } from './electorate.ts';
import { electorateOf } from './electorate.ts';
import type { KeptFinal } from './certificate-book.ts';
import type { FinalRecord } from './final-records.ts';
import type { KeptRecord } from './kept-records.ts';
import { decodeKeptRecord, encodeKeptRecord, finalIn } from './kept-records.ts';
import type { Place } from './place.ts';
import type { Snapshots } from './snapshots.ts';
import type { StateStore } from './state-store.ts';

/** A block with what its execution gave. */
export interface ExecutedBlock {
  readonly block: Block;
  readonly digest: Uint8Array;
  /** After the block. */
  readonly state: LedgerState;
  readonly transactions: readonly Transaction[];
  /** Of the transactions, in their order. */
  readonly ids: readonly TransactionId[];
}

export function executedBlock(
  block: Block,
  state: LedgerState,
  transactions: readonly Transaction[],
): ExecutedBlock {
  const digest = blockDigest(block.header);
  return { block, digest, state, transactions, ids: block.transactions.map(transactionId) };
}

/** True if no block of the same epoch may follow. */
export function closesEpoch({ block: { header }, state }: ExecutedBlock): boolean {
  return state.closesEpoch(header);
}

export interface FinalChainOptions {
  readonly genesis: Genesis;
  /** One record a height, as `encodeKeptRecord` writes it; the genesis block is record 0. The oldest may be dropped. */
  readonly blockLog: PrunableLog;
  readonly stateStore: StateStore;
  /** Undefined: the box makes and takes none. */
  readonly snapshots?: Snapshots | undefined;
  readonly verify: VerifySignature;
  readonly logger: Logger;
}

export interface NewlyFinal {
  readonly executed: ExecutedBlock;
  readonly certificate: Certificate | null;
}

/** What is final can be lost or damaged only with the disk: the box then stops and says so. */
export class FinalChain {
  readonly #options: FinalChainOptions;
  #head: ExecutedBlock;
  /** The newest block with a certificate of its own; the head, but for a crash in the midst of a very large group. */
  #certified: { readonly block: Block; readonly certificate: Certificate };
  #closing: Certificate | undefined;

  private constructor(
    options: FinalChainOptions,
    head: ExecutedBlock,
    certified: FinalChain['evidence'],
    closing: Certificate | undefined,
  ) {
    this.#options = options;
    this.#head = head;
    this.#certified = certified;
    this.#closing = closing;
  }

  /**
   * Reads state and block log and brings the state to the log's end; a missing or wrong state is built anew.
   * @throws AppError STORE_CORRUPT if the log is of another chain, or a block of it does not execute.
   */
  static async open(options: FinalChainOptions): Promise<FinalChain> {
    const { blockLog, genesis } = options;
    const genesisRecord = encodeKeptRecord({
      block: genesisBlock(genesis),
      certificate: null,
      shown: [],
    });
    const hasGenesis = blockLog.first === 0 && blockLog.length > 0;
    if (hasGenesis && !equalBytes(new Uint8Array(await blockLog.at(0)), genesisRecord)) {
      throw new AppError('STORE_CORRUPT', 'block log: block 0 is not the one of the genesis file');
    }
    const head = await replay(options, await baseOf(options));
    const certified = await lastCertified(options, head);
    return new FinalChain(options, head, certified, await lastClosing(options, head));
  }

  get head(): LedgerHead {
    const { height, time } = this.#head.block.header;
    return { height, time, digest: this.#head.digest };
  }

  get tip(): ExecutedBlock {
    return this.#head;
  }

  get state(): LedgerState {
    return this.#head.state;
  }

  /** The record of epoch 0, made anew from the genesis document each time. */
  get firstEpoch(): EpochRecord {
    return genesisState(this.#options.genesis).epoch();
  }

  /** Where consensus goes on: in the view after this one. */
  get place(): Place {
    const { header } = this.#head.block;
    const epoch = this.#head.state.epoch().number;
    return { epoch, view: header.epoch === epoch ? header.view : 0 };
  }

  /** Who votes on the next block. */
  get electorate(): Electorate {
    return electorateOf(this.#head.state.epoch());
  }

  /** Certificate of the block that closed the epoch before the current one; undefined in epoch 0. */
  get closing(): Certificate | undefined {
    return this.#closing;
  }

  /** Block 0 has a certificate without signatures: the genesis file itself stands for it. */
  get evidence(): { readonly block: Block; readonly certificate: Certificate } {
    return this.#certified;
  }

  /**
   * Adds blocks that are final by the certificate of the last; the others may have certificates of their own. They
   * are on disk when `each` is called, once a block, when that block is the head, with the state before it.
   * @throws AppError STORE_FAILED.
   */
  async add(
    blocks: readonly KeptFinal[],
    each: (executed: ExecutedBlock, before: LedgerState) => void,
  ): Promise<void> {
    const last = blocks.at(-1);
    if (last === undefined || last.certificate === null)
      throw new Error('the last final block has no certificate');
    const records = blocks.map(({ executed: { block }, certificate, shown }) =>
      encodeKeptRecord({ block, certificate, shown }),
    );
    await this.#options.blockLog.append(records);
    const { block, digest, state } = last.executed;
    // The log holds the truth; a crash between the two writes is made good at the next start.
    await this.#options.stateStore.save(block.header.height, digest, stateChanges(this.#head.state, state));
    for (const { executed, certificate } of blocks) {
      const before = this.#head.state;
      this.#head = executed;
      if (certificate !== null) this.#certified = { block: executed.block, certificate };
      if (certificate !== null && closesEpoch(executed)) this.#closing = certificate;
      each(executed, before);
    }
  }

  /**
   * Puts a complete snapshot in the place of all blocks here, which are older. @throws AppError STORE_CORRUPT,
   * STORE_FAILED: a crash in the midst of it is made good at the next start.
   */
  async install(snapshots: Snapshots, epoch: number): Promise<void> {
    const { executed, record } = await installSnapshot(this.#options, snapshots, epoch);
    const { certificate } = record;
    if (certificate === null)
      throw new AppError('STORE_CORRUPT', 'the block of a snapshot has no certificate');
    this.#head = executed;
    this.#certified = { block: executed.block, certificate };
    this.#closing = certificate;
  }

  /** Height of the oldest block of which this box has the transactions. */
  get first(): number {
    return this.#options.blockLog.first;
  }

  /** The encoded final record at a height, as other boxes get it. */
  async recordAt(height: number): Promise<Uint8Array> {
    return finalIn(new Uint8Array(await this.#options.blockLog.at(height)));
  }

  /** The block at a height, and its certificate if it has one. @throws RangeError below `first`. */
  async finalAt(height: number): Promise<FinalRecord> {
    return decodeRecord(new Uint8Array(await this.#options.blockLog.at(height)), height);
  }

  async *blocks(fromHeight: number): AsyncIterable<FinalBlock> {
    for (let height = Math.max(fromHeight, this.first); height <= this.head.height; height++) {
      const { block } = await this.finalAt(height);
      yield { block, transactions: block.transactions.map((bytes) => decodeOwn(bytes, height)) };
    }
  }
}

/** Executes the blocks of the log after this one: their state roots show that nothing was changed. */
async function replay(options: FinalChainOptions, from: ExecutedBlock): Promise<ExecutedBlock> {
  const { blockLog, stateStore, verify, logger } = options;
  let head = from;
  while (head.block.header.height + 1 < blockLog.length) {
    const height = head.block.header.height + 1;
    const { block } = decodeRecord(new Uint8Array(await blockLog.at(height)), height);
    const executed = executeBlock(head.state, head.block.header, block, { verify });
    if (executed.kind === 'invalid') {
      throw new AppError('STORE_CORRUPT', `block log: block ${height} is not valid (${executed.reason})`);
    }
    const next = executedBlock(block, executed.state, executed.transactions);
    await stateStore.save(height, next.digest, stateChanges(head.state, next.state));
    head = next;
  }
  if (head !== from)
    logger.info({ height: head.block.header.height }, 'ledger state brought to the end of the block log');
  return head;
}

async function lastCertified(
  options: FinalChainOptions,
  head: ExecutedBlock,
): Promise<FinalChain['evidence']> {
  const { blockLog, verify, genesis } = options;
  for (let height = head.block.header.height; height >= Math.max(1, blockLog.first); height--) {
    const { block, certificate } = decodeRecord(new Uint8Array(await blockLog.at(height)), height);
    if (certificate === null) continue;
    if (!certifies(head.state, block, certificate, verify)) {
      throw new AppError('STORE_CORRUPT', `block log: the certificate of block ${height} is not valid`);
    }
    return { block, certificate };
  }
  const block = genesisBlock(genesis);
  const { epoch, view } = block.header;
  return {
    block,
    certificate: { kind: 'finalize', epoch, view, digest: blockDigest(block.header), signatures: [] },
  };
}

/** Of the block before the epoch's first. */
async function lastClosing(
  { blockLog }: FinalChainOptions,
  { state }: ExecutedBlock,
): Promise<Certificate | undefined> {
  const height = state.epoch().startHeight - 1;
  if (height === 0) return undefined;
  const { certificate } = decodeRecord(new Uint8Array(await blockLog.at(height)), height);
  if (certificate !== null) return certificate;
  throw new AppError('STORE_CORRUPT', `block log: block ${height} closes an epoch without a certificate`);
}

/**
 * True if this is a finalization certificate of this block by the validators of its epoch. The state is one of that
 * epoch or a later one. A block that closes its epoch may have become final in a later view than its own.
 */
export function certifies(
  state: LedgerState,
  { header }: Block,
  certificate: Certificate,
  verify: VerifySignature,
): boolean {
  const { kind, epoch, view, digest } = certificate;
  if (kind !== 'finalize' || epoch !== header.epoch || view < header.view) return false;
  if (view !== header.view && !state.closesEpoch(header)) return false;
  const record = state.epochOf(epoch);
  if (record === undefined || !equalBytes(digest, blockDigest(header))) return false;
  return verifyCertificate(state.chain, electorateOf(record).votingKeys, certificate, verify);
}

/** @throws AppError STORE_CORRUPT if the record is not the block of this height. */
export function decodeRecord(bytes: Uint8Array, height: number): KeptRecord {
  try {
    const record = decodeKeptRecord(bytes);
    if (record.block.header.height === height) return record;
    throw new RangeError(`it says height ${record.block.header.height}`);
  } catch (cause) {
    throw new AppError('STORE_CORRUPT', `block log: record ${height} is no block of that height`, { cause });
  }
}

/** @throws AppError STORE_CORRUPT if a transaction of an own block does not decode. */
export function decodeOwn(bytes: Uint8Array, height: number): Transaction {
  const decoded = decodeTransaction(bytes);
  if (decoded.kind === 'refused') {
    throw new AppError('STORE_CORRUPT', `block ${height} holds a transaction that does not decode`);
  }
  return decoded.transaction;
}

/** For maps keyed by digest. */
export function keyOf(digest: Uint8Array): string {
  return toHex(digest);
}
