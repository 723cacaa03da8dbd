/** What the vote log binds this box to in an epoch. */
import type { PersistRecord } from '../consensus/state.ts';
import type { ProposalHeader } from '../consensus/types.ts';
import { AppError } from '../errors.ts';
import { blockDigest, decodeBlock } from '../ledger/index.ts';
import type { Block } from '../ledger/types.ts';
import type { AppendLog } from '../ports.ts';
import type { Place } from './place.ts';
import type { VoteRecord } from './vote-records.ts';
import { decodeVoteRecord, encodeVoteRecord } from './vote-records.ts';

export interface VoteLogContent {
  /** False: votes of this box may be missing and no floor says up to where. It must not vote. */
  readonly isComplete: boolean;
  /** Count of starts at which the newest gap was found; undefined without one, and before a start follows it. */
  readonly gap: number | undefined;
  /** Views of the epoch up to this one may hold forgotten votes. */
  readonly floor: number;
  /** In the order in which they were written; those of other epochs bind nobody in this one. */
  readonly records: readonly PersistRecord[];
  /** The blocks that were voted for. */
  readonly blocks: readonly Block[];
  readonly bytes: number;
  /** Count of the last start that the log knows of. */
  readonly start: number | undefined;
  /** True where neither log nor ledger know of anything: the TPM's count of starts says whether the box never voted. */
  readonly isNew: boolean;
  /** The log without what belongs to earlier epochs, as `replace` takes it; undefined if nothing does, or votes lack. */
  readonly withoutEarlier: readonly Uint8Array[] | undefined;
}

/**
 * Reads what binds the box in the epoch in which its ledger stands. An empty log is that of a new box if the ledger is
 * at its beginning; otherwise the old one was put aside or lost, which the log says from then on.
 * @throws AppError VOTE_LOG_CORRUPT if a record is intact but not understood: the box must not vote then. STORE_FAILED
 * if the log cannot be begun.
 */
export async function readVoteLog(log: AppendLog, place: Place): Promise<VoteLogContent> {
  const isAtBeginning = place.epoch === 0 && place.view === 0;
  if (log.length === 0) {
    await log.append([encodeVoteRecord(isAtBeginning ? { type: 'floor', ...place } : { type: 'gap' })]);
  }
  let isComplete = true;
  let floor = 0;
  let bytes = 0;
  let hasEarlier = false;
  let start: number | undefined;
  let gap: number | undefined;
  let isGapNew = false;
  const records: PersistRecord[] = [];
  const blocks: Block[] = [];
  const kept: Uint8Array[] = [];
  let index = 0;
  for await (const read of log.read()) {
    const encoded = new Uint8Array(read);
    const record = decode(encoded, index);
    bytes += encoded.length;
    const epoch = epochOf(record) ?? place.epoch;
    if (epoch < place.epoch) hasEarlier = true;
    else if (record.type !== 'gap') kept.push(encoded);
    // The ledger of this box is older than its votes: those of this epoch may be dropped already.
    if (epoch > place.epoch) floor = Number.MAX_SAFE_INTEGER;
    switch (record.type) {
      case 'gap':
        isComplete = false;
        isGapNew = true;
        gap = undefined;
        break;
      case 'start':
        start = record.number;
        if (isGapNew) gap = start;
        isGapNew = false;
        break;
      case 'floor':
        isComplete = true;
        isGapNew = false;
        gap = undefined;
        if (record.epoch === place.epoch) floor = Math.max(floor, record.view);
        break;
      case 'certificate':
        records.push({ kind: 'certificate', certificate: record.certificate });
        break;
      case 'vote': {
        const block = record.block === null ? undefined : decodeVoted(record.block, index);
        if (block !== undefined) blocks.push(block);
        const header = block && proposalHeader(block, record.vote.view);
        records.push({ kind: 'vote', vote: record.vote, header });
        break;
      }
    }
    index++;
  }
  // A log with a gap stays as it is: the start that follows the gap names it.
  const first = encodeVoteRecord({ type: 'floor', epoch: place.epoch, view: 0 });
  const withoutEarlier = hasEarlier && isComplete ? [first, ...kept] : undefined;
  const isNew = isAtBeginning && start === undefined && records.length === 0;
  return { isComplete, gap, floor, records, blocks, bytes, start, isNew, withoutEarlier };
}

/**
 * What the consensus core knows of a block that is proposed for this view: its own, or a later one in which a block
 * that closes its epoch is proposed again.
 */
export function proposalHeader({ header }: Block, view = header.view): ProposalHeader {
  const { epoch, parentView, parent } = header;
  const digest = blockDigest(header);
  return view === header.view
    ? { epoch, view, digest, parentView, parentDigest: parent }
    : { epoch, view, digest, parentView: header.view, parentDigest: digest };
}

/** Undefined: it holds whatever the epoch. */
function epochOf(record: VoteRecord): number | undefined {
  switch (record.type) {
    case 'vote':
      return record.vote.epoch;
    case 'certificate':
      return record.certificate.epoch;
    case 'floor':
      return record.epoch;
    case 'gap':
    case 'start':
      return undefined;
  }
}

function decode(encoded: Uint8Array, index: number): VoteRecord {
  try {
    return decodeVoteRecord(encoded);
  } catch (cause) {
    throw new AppError('VOTE_LOG_CORRUPT', `vote log: record ${index} is not understood`, { cause });
  }
}

function decodeVoted(encoded: Uint8Array, index: number): Block {
  const decoded = decodeBlock(encoded);
  if (decoded.kind === 'block') return decoded.block;
  throw new AppError('VOTE_LOG_CORRUPT', `vote log: the block of record ${index} is not understood`);
}
