/**
 * From what the chain on this box begins at a start: the state as it was saved, a snapshot of it, or the genesis
 * document; and the change to a snapshot that is newer than all blocks here. A crash in the midst of that change is made
 * good by doing it again: the complete snapshot on disk says that it is wanted.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import { blockDigest, genesisBlock, genesisState, stateEntries, stateFromEntries } from '../ledger/index.ts';
import type { LedgerState } from '../ledger/types.ts';
import type { ExecutedBlock, FinalChainOptions } from './final-chain.ts';
import { decodeOwn, decodeRecord, executedBlock } from './final-chain.ts';
import type { FinalRecord } from './final-records.ts';
import { encodeKeptRecord } from './kept-records.ts';
import type { Snapshots } from './snapshots.ts';

/** A block and the state after it, from which the log is executed on. @throws AppError STORE_CORRUPT, STORE_FAILED. */
export async function baseOf(options: FinalChainOptions): Promise<ExecutedBlock> {
  const { blockLog, snapshots, stateStore, logger } = options;
  const saved = await savedHead(options);
  const [newest] = snapshots?.complete() ?? [];
  if (newest !== undefined && snapshots !== undefined) {
    const isAhead = newest.height >= blockLog.length && (saved === undefined || saved.height < newest.height);
    // The log goes on after the snapshot, or reaches back to its block.
    const isNeeded = saved?.executed === undefined && newest.height + 1 >= blockLog.first;
    if (isAhead) return (await installSnapshot(options, snapshots, newest.epoch)).executed;
    if (isNeeded) {
      const { executed } = await readSnapshot(options, snapshots, newest.epoch);
      await stateStore.reset(newest.height, executed.digest, stateEntries(executed.state));
      return executed;
    }
  }
  if (saved !== undefined && saved.height >= blockLog.length) {
    throw new AppError(
      'STORE_CORRUPT',
      `block log ends at height ${blockLog.length - 1}, but the state is of ${saved.height}`,
    );
  }
  if (saved?.executed !== undefined) return saved.executed;
  if (blockLog.first > 0) {
    // Without the state and without a snapshot the blocks that are left lead nowhere.
    logger.warn({ first: blockLog.first }, 'the ledger is fetched anew: its state is lost');
    await blockLog.restartAt(0);
  }
  return await beginAtGenesis(options);
}

/** Puts a complete snapshot in the place of all blocks and of the state. @throws AppError STORE_CORRUPT, STORE_FAILED. */
export async function installSnapshot(
  options: FinalChainOptions,
  snapshots: Snapshots,
  epoch: number,
): Promise<{ readonly executed: ExecutedBlock; readonly record: FinalRecord }> {
  const installed = await readSnapshot(options, snapshots, epoch);
  const { executed, record } = installed;
  const { height } = executed.block.header;
  await options.blockLog.restartAt(height);
  await options.blockLog.append([encodeKeptRecord({ ...record, shown: [] })]);
  await options.stateStore.reset(height, executed.digest, stateEntries(executed.state));
  options.logger.info({ height, epoch }, 'the ledger goes on from a snapshot');
  return installed;
}

async function readSnapshot(
  { genesis }: FinalChainOptions,
  snapshots: Snapshots,
  epoch: number,
): Promise<{ readonly executed: ExecutedBlock; readonly record: FinalRecord }> {
  const { record, entries } = await snapshots.read(epoch);
  const { block } = record;
  const { chain } = genesisBlock(genesis).header;
  const state = stateOf(chain, entries);
  if (!equalBytes(block.header.chain, chain) || !equalBytes(state?.root ?? chain, block.header.stateRoot))
    throw new AppError('STORE_CORRUPT', `the snapshot of epoch ${epoch} is not the state after its block`);
  if (state === undefined) throw new AppError('STORE_CORRUPT', `the snapshot of epoch ${epoch} is no state`);
  return { executed: executedOf(record, state), record };
}

async function beginAtGenesis({ genesis, blockLog, stateStore }: FinalChainOptions): Promise<ExecutedBlock> {
  const block = genesisBlock(genesis);
  const state = genesisState(genesis);
  if (blockLog.length === 0)
    await blockLog.append([encodeKeptRecord({ block, certificate: null, shown: [] })]);
  const executed = executedBlock(block, state, []);
  await stateStore.reset(0, executed.digest, stateEntries(state));
  return executed;
}

/** The state as it was saved: its height, and the block with it if it is the state after a block of the log. */
async function savedHead({
  blockLog,
  stateStore,
  genesis,
  logger,
}: FinalChainOptions): Promise<
  { readonly height: number; readonly executed: ExecutedBlock | undefined } | undefined
> {
  const saved = await stateStore.load();
  if (saved === undefined) return undefined;
  const { height, digest, entries } = saved;
  if (height >= blockLog.length || height < blockLog.first) return { height, executed: undefined };
  const record = decodeRecord(new Uint8Array(await blockLog.at(height)), height);
  const { header } = record.block;
  if (!equalBytes(blockDigest(header), digest))
    throw new AppError('STORE_CORRUPT', `state and block log differ at height ${height}`);
  const state = stateOf(genesisBlock(genesis).header.chain, entries);
  if (state !== undefined && equalBytes(state.root, header.stateRoot))
    return { height, executed: executedOf(record, state) };
  logger.warn({ height }, 'the saved ledger state does not match its block and is built anew');
  return { height, executed: undefined };
}

function executedOf({ block }: FinalRecord, state: LedgerState): ExecutedBlock {
  const { height } = block.header;
  return executedBlock(
    block,
    state,
    block.transactions.map((bytes) => decodeOwn(bytes, height)),
  );
}

/** Undefined if the entries are no state: like a wrong root, a reason to build it anew. */
function stateOf(
  chain: Uint8Array,
  entries: Iterable<readonly [string, Uint8Array]>,
): LedgerState | undefined {
  try {
    return stateFromEntries(chain, entries);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
