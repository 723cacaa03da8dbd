/** What the vote log binds this box to, read at a start. */
import type { PersistRecord } from '../consensus/state.ts';
import type { ProposalHeader } from '../consensus/types.ts';
import { AppError } from '../errors.ts';
import { blockDigest, decodeBlock } from '../ledger/index.ts';
import type { Block } from '../ledger/types.ts';
import type { AppendLog } from '../ports.ts';
import type { VoteRecord } from './vote-records.ts';
import { decodeVoteRecord, encodeVoteRecord } from './vote-records.ts';

export interface VoteLogContent {
  /** Views up to this one may hold forgotten votes. */
  readonly floor: number;
  readonly records: readonly PersistRecord[];
  /** The blocks that were voted for. */
  readonly blocks: readonly Block[];
  readonly bytes: number;
}

/**
 * An empty log is that of a new box, or an administrator has put the old one aside (docs/runbooks/vote-log.md): it
 * begins with a floor, so that nothing is voted on up to the head's view.
 * @throws AppError VOTE_LOG_CORRUPT if a record is intact but not understood: the box must not vote then. STORE_FAILED
 * if the log cannot be begun.
 */
export async function readVoteLog(log: AppendLog, headView: number): Promise<VoteLogContent> {
  if (log.length === 0) await log.append([encodeVoteRecord({ type: 'floor', view: headView })]);
  let floor = 0;
  let bytes = 0;
  const records: PersistRecord[] = [];
  const blocks: Block[] = [];
  for await (const encoded of log.read()) {
    bytes += encoded.length;
    const record = decode(encoded, records.length);
    switch (record.type) {
      case 'floor':
        floor = Math.max(floor, record.view);
        break;
      case 'certificate':
        records.push({ kind: 'certificate', certificate: record.certificate });
        break;
      case 'vote': {
        const block = record.block === null ? undefined : decodeVoted(record.block, records.length);
        if (block !== undefined) blocks.push(block);
        records.push({ kind: 'vote', vote: record.vote, header: block && proposalHeader(block) });
        break;
      }
    }
  }
  return { floor, records, blocks, bytes };
}

/** What the consensus core knows of a block. */
export function proposalHeader({ header }: Block): ProposalHeader {
  const { epoch, view, parentView, parent } = header;
  return { epoch, view, digest: blockDigest(header), parentView, parentDigest: parent };
}

function decode(encoded: Uint8Array, index: number): VoteRecord {
  try {
    return decodeVoteRecord(new Uint8Array(encoded));
  } catch (cause) {
    throw new AppError('VOTE_LOG_CORRUPT', `vote log: record ${index} is not understood`, { cause });
  }
}

function decodeVoted(encoded: Uint8Array, index: number): Block {
  const decoded = decodeBlock(encoded);
  if (decoded.kind === 'block') return decoded.block;
  throw new AppError('VOTE_LOG_CORRUPT', `vote log: the block of record ${index} is not understood`);
}
