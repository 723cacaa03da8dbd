/**
 * The history log: an RFC 9162 tree over the digests of all blocks, in the order of their heights. Each header holds its
 * root over the blocks before it, so that any older block is proved from a newer header. What is needed to go on with it
 * stands in the state itself: a box that begins with the state of another needs no blocks for it.
 */
import { extendFrontier, frontierRoot } from '../encoding/merkle-frontier.ts';
import { verifyMerklePath } from '../encoding/merkle-tree.ts';
import { blockDigest } from './blocks.ts';
import { historyRecord } from './history-record.ts';
import { stateKeys } from './state-keys.ts';
import type { LedgerSnapshot } from './state.ts';
import type { BlockHeader } from './types.ts';

/** The state before the transactions of a block: its parent, whose state this is, has become history. */
export function withParentInHistory(state: LedgerSnapshot, parent: Uint8Array): LedgerSnapshot {
  return state.put(historyRecord, stateKeys.history, extendFrontier(state.history(), parent));
}

/** `historyRoot` of the header of a block whose parent has become history. 32 bytes. */
export function historyRoot(state: LedgerSnapshot): Uint8Array {
  return frontierRoot(state.history());
}

/**
 * True if the older header is the one at its height in the history of the newer one. `path`: RFC 9162, section 2.1.3, of
 * its digest in a log of `newer.height` entries.
 */
export function isInHistory(newer: BlockHeader, older: BlockHeader, path: readonly Uint8Array[]): boolean {
  return verifyMerklePath(blockDigest(older), older.height, newer.height, path, newer.historyRoot);
}
