/** Answers to `/hilum/blocks/1`: final blocks from a height on, or one block by its digest. */
import { encodeBlock } from '../ledger/index.ts';
import type { Network, Unsubscribe } from '../ports.ts';
import type { BlockTree } from './block-tree.ts';
import { blockProtocol } from './catch-up.ts';
import type { FinalChain } from './final-chain.ts';
import { decodeBlockRequest, encodeBlockAnswer, encodeFinalRecord } from './final-records.ts';
import { blockRequestBytesMax, catchUpAnswerBytesMax, catchUpBlocksMax } from './limits.ts';

/** Any member may ask: the ledger is open to all of them. */
export function serveBlocks(network: Network, chain: FinalChain, tree: BlockTree): Unsubscribe {
  return network.handle(blockProtocol, async (_from, body, signal) => {
    if (body.length > blockRequestBytesMax) throw new RangeError(`request of ${body.length} bytes`);
    const request = decodeBlockRequest(body);
    if ('from' in request)
      return encodeBlockAnswer(chain.first, await finalRecords(chain, request.from, signal));
    const block = tree.body(request.digest);
    const records = block === undefined ? [] : [encodeFinalRecord({ block, certificate: null })];
    return encodeBlockAnswer(chain.first, records);
  });
}

async function finalRecords(chain: FinalChain, from: number, signal: AbortSignal): Promise<Uint8Array[]> {
  const records: Uint8Array[] = [];
  let bytes = 0;
  if (from < chain.first) return records;
  // Block 0 is in everybody's genesis file.
  for (let height = Math.max(1, from); height <= chain.head.height; height++) {
    if (records.length === catchUpBlocksMax || bytes >= catchUpAnswerBytesMax) break;
    signal.throwIfAborted();
    const record = await chain.recordAt(height);
    records.push(record);
    bytes += record.length;
  }
  return records;
}

/** For the vote log and for messages. */
export function encodedBody(tree: BlockTree, digest: Uint8Array): Uint8Array {
  const block = tree.body(digest);
  if (block === undefined) throw new Error('a block that is voted on or proposed is not at hand');
  return encodeBlock(block);
}
