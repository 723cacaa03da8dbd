/** Building a block from candidates, and executing one that somebody else built. */
import { equalBytes } from '../encoding/bytes.ts';
import { applyTransaction } from './apply.ts';
import { blockDigest, transactionsRoot } from './blocks.ts';
import { refusalWork, transactionWork } from './block-work.ts';
import { afterEpoch } from './consortium/epoch.ts';
import { recounted } from './consortium/recount.ts';
import { formatKnown } from './formats/formats.ts';
import {
  blockKeyChangesMax,
  blockTransactionBytesMax,
  blockTransactionsMax,
  blockWorkInVainMax,
  blockWorkMax,
} from './limits.ts';
import { historyRoot, withParentInHistory } from './history.ts';
import { mayApplyLater, type RefusalReason } from './refusals.ts';
import { asSnapshot, type LedgerSnapshot } from './state.ts';
import { bringsKeys, goesFirst } from './transaction-types.ts';
import { decodeTransaction } from './transactions.ts';
import type { Block, BlockContext, BlockHeader, LedgerState, Transaction, TransactionId } from './types.ts';

export interface BlockProposal {
  readonly view: number;
  /** UTC milliseconds, later than the parent's. */
  readonly time: number;
  readonly proposer: string;
  /** Encoded transactions, in the order in which they came. */
  readonly candidates: readonly Uint8Array[];
  readonly verify: BlockContext['verify'];
}

export interface RefusedCandidate {
  readonly transaction: Uint8Array;
  readonly reason: RefusalReason;
  /** True if it may apply to a later state, so that it is worth keeping (`mayApplyLater`). */
  readonly later: boolean;
}

export interface BuiltBlock {
  readonly block: Block;
  /** The state after it. */
  readonly state: LedgerState;
  /** Its transactions, decoded. */
  readonly transactions: readonly Transaction[];
  readonly refused: readonly RefusedCandidate[];
  /** Candidates for which this block has no room. They were not tried. */
  readonly postponed: readonly Uint8Array[];
}

export type ExecutedBlock =
  | { readonly kind: 'valid'; readonly state: LedgerState; readonly transactions: readonly Transaction[] }
  | { readonly kind: 'invalid'; readonly reason: InvalidBlockReason; readonly detail: string };

export type InvalidBlockReason =
  | 'wrong-chain'
  /** Of a newer format than this firmware knows: it stops voting and releasing, and waits for its update. */
  | 'unknown-format'
  | 'wrong-epoch'
  | 'wrong-height'
  | 'wrong-parent'
  | 'wrong-view'
  | 'wrong-time'
  | 'unknown-proposer'
  | 'too-large'
  | 'wrong-transactions-root'
  | 'wrong-history-root'
  | 'transaction-refused'
  | 'wrong-state-root';

interface Candidate {
  readonly bytes: Uint8Array;
  readonly transaction: Transaction;
}

/** What `fill` has of a block so far. */
interface Filling {
  readonly state: LedgerState;
  readonly applied: readonly Candidate[];
  readonly refused: readonly RefusedCandidate[];
  readonly postponed: readonly Uint8Array[];
}

/** Passes over candidates that wait for each other: enough for what overtakes on a network, few enough to be quick. */
const passesMax = 4;

/**
 * Applies candidates in order while there is room. What misses something that another candidate brings is tried again
 * after it, so that transactions which overtook each other on the network end in one block. From the first candidate
 * for which bytes, work or places do not suffice on, all wait: a large one is not passed over for ever. Of those that
 * bring keys so many are tried as a block may hold, whatever comes of it: a refused one has cost as much. The others do
 * not wait for them. Once what was refused has cost `blockWorkInVainMax`, all others wait, untried.
 */
function fill(before: LedgerState, candidates: readonly Candidate[], context: BlockContext): Filling {
  let state = before;
  let room = blockTransactionBytesMax;
  const applied: Candidate[] = [];
  const refused: RefusedCandidate[] = [];
  const postponed: Uint8Array[] = [];
  let isFull = false;
  let work = 0;
  let inVain = 0;
  let keyChanges = 0;
  let waiting = candidates;
  for (let pass = 1; waiting.length > 0; pass++) {
    const missing: { readonly candidate: Candidate; readonly refusal: RefusedCandidate }[] = [];
    const appliedBefore = applied.length;
    for (const candidate of waiting) {
      const { bytes, transaction } = candidate;
      const ownWork = transactionWork(transaction.body);
      isFull ||=
        bytes.length > room ||
        work + ownWork > blockWorkMax ||
        inVain >= blockWorkInVainMax ||
        applied.length === blockTransactionsMax;
      const changesKeys = bringsKeys(transaction.body.type);
      if (isFull || (changesKeys && keyChanges === blockKeyChangesMax)) {
        postponed.push(bytes);
        continue;
      }
      const outcome = applyTransaction(state, transaction, context);
      // What misses something is found out before anything is checked that costs.
      if (changesKeys && (outcome.kind === 'applied' || !mayApplyLater(outcome.reason))) keyChanges++;
      if (outcome.kind === 'applied') {
        state = outcome.state;
        room -= bytes.length;
        work += ownWork;
        applied.push(candidate);
        continue;
      }
      const refusal = { transaction: bytes, reason: outcome.reason, later: mayApplyLater(outcome.reason) };
      inVain += refusalWork(transaction.body, outcome.reason);
      if (refusal.later) missing.push({ candidate, refusal });
      else refused.push(refusal);
    }
    const progress = applied.length > appliedBefore;
    if (!progress || pass === passesMax) refused.push(...missing.map(({ refusal }) => refusal));
    waiting = progress && pass < passesMax ? missing.map(({ candidate }) => candidate) : [];
  }
  return { state, applied, refused, postponed };
}

/**
 * Builds a block on the parent: revocations and objections first, so that none waits behind a grant or an open; then the
 * rest in the order given. Candidates that do not apply are left out and named; those beyond the size limit wait.
 * The caller bounds the candidates; each costs at most one check of its signatures.
 */
export function buildBlock(state: LedgerState, parent: BlockHeader, proposal: BlockProposal): BuiltBlock {
  const { view, time, proposer, verify } = proposal;
  const epoch = state.epoch().number;
  const height = parent.height + 1;
  const refused: RefusedCandidate[] = [];
  const decoded: Candidate[] = [];
  const seen = new Set<TransactionId>();
  for (const bytes of proposal.candidates) {
    const candidate = decodeTransaction(bytes);
    if (candidate.kind === 'refused') {
      refused.push({ transaction: bytes, reason: candidate.reason, later: false });
    } else if (!seen.has(candidate.id)) {
      seen.add(candidate.id);
      decoded.push({ bytes, transaction: candidate.transaction });
    }
  }
  const first = ({ transaction }: Candidate): boolean => goesFirst(transaction.body.type);
  const ordered = [...decoded.filter(first), ...decoded.filter((candidate) => !first(candidate))];

  const parentDigest = blockDigest(parent);
  const before = withParentInHistory(asSnapshot(state), parentDigest);
  const result = fill(before, ordered, { height, time, verify });
  const transactions = result.applied.map(({ bytes }) => bytes);
  const place = { chain: parent.chain, epoch, height, view, parent: parentDigest, time, proposer };
  const after = afterBlock(result.state, place, verify);
  const header: BlockHeader = {
    ...place,
    parentView: parentViewOf(epoch, parent),
    transactionsRoot: transactionsRoot(transactions),
    historyRoot: historyRoot(before),
    stateRoot: after.root,
  };
  return {
    block: { header, transactions },
    state: after,
    transactions: result.applied.map(({ transaction }) => transaction),
    refused: [...refused, ...result.refused],
    postponed: result.postponed,
  };
}

/** The state after a block whose transactions made this state: with what follows of itself from its time. */
function afterBlock(
  state: LedgerState,
  header: Pick<BlockHeader, 'epoch' | 'height' | 'time'>,
  verify: BlockContext['verify'],
): LedgerSnapshot {
  return afterEpoch(recounted(asSnapshot(state), { time: header.time, verify }), header);
}

function invalid(reason: InvalidBlockReason, detail: string): ExecutedBlock {
  return { kind: 'invalid', reason, detail };
}

/** Views begin anew in each epoch, whose view 0 is the block that closed the one before. */
function parentViewOf(epoch: number, parent: BlockHeader): number {
  return epoch === parent.epoch ? parent.view : 0;
}

function headerFault(state: LedgerState, parent: BlockHeader, header: BlockHeader): ExecutedBlock | null {
  if (!equalBytes(header.chain, state.chain)) return invalid('wrong-chain', 'made for another chain');
  if (header.height !== parent.height + 1)
    return invalid('wrong-height', `${header.height} after ${parent.height}`);
  if (!equalBytes(header.parent, blockDigest(parent)))
    return invalid('wrong-parent', 'digest of another parent');
  const format = state.formatAt(header.height);
  if (format > formatKnown) return invalid('unknown-format', `format ${format} at height ${header.height}`);
  const { number } = state.epoch();
  if (header.epoch !== number) return invalid('wrong-epoch', `${header.epoch} in epoch ${number}`);
  const parentView = parentViewOf(number, parent);
  if (header.parentView !== parentView) return invalid('wrong-parent', `parent's view is ${parentView}`);
  if (header.view <= parentView) return invalid('wrong-view', `${header.view} after ${parentView}`);
  if (header.time <= parent.time) return invalid('wrong-time', `${header.time} after ${parent.time}`);
  if (!state.validators().includes(header.proposer)) return invalid('unknown-proposer', header.proposer);
  return null;
}

/**
 * Checks a block against its parent and the parent's state, and executes it: height, links, time, sizes, every
 * transaction, all three roots. Whether its time fits the box's clock and its proposer leads its view is consensus's to say.
 */
export function executeBlock(
  state: LedgerState,
  parent: BlockHeader,
  block: Block,
  context: { readonly verify: BlockContext['verify'] },
): ExecutedBlock {
  const { header } = block;
  const fault = headerFault(state, parent, header);
  if (fault !== null) return fault;
  const bytes = block.transactions.reduce((sum, transaction) => sum + transaction.length, 0);
  if (block.transactions.length > blockTransactionsMax || bytes > blockTransactionBytesMax) {
    return invalid('too-large', `${block.transactions.length} transactions, ${bytes} bytes`);
  }
  if (!equalBytes(header.transactionsRoot, transactionsRoot(block.transactions))) {
    return invalid('wrong-transactions-root', 'transactions are others than those of the header');
  }
  const before = withParentInHistory(asSnapshot(state), header.parent);
  if (!equalBytes(header.historyRoot, historyRoot(before))) {
    return invalid('wrong-history-root', 'other blocks came before');
  }
  const transactions: Transaction[] = [];
  let after: LedgerState = before;
  let keyChanges = 0;
  let work = 0;
  for (const [index, encoded] of block.transactions.entries()) {
    const decoded = decodeTransaction(encoded);
    if (decoded.kind === 'refused')
      return invalid('transaction-refused', `transaction ${index}: ${decoded.reason}`);
    if (bringsKeys(decoded.transaction.body.type) && ++keyChanges > blockKeyChangesMax)
      return invalid('too-large', `more than ${blockKeyChangesMax} transactions bring keys`);
    work += transactionWork(decoded.transaction.body);
    if (work > blockWorkMax) return invalid('too-large', `more work than ${blockWorkMax}`);
    const outcome = applyTransaction(after, decoded.transaction, {
      height: header.height,
      time: header.time,
      verify: context.verify,
    });
    if (outcome.kind === 'refused')
      return invalid('transaction-refused', `transaction ${index}: ${outcome.reason}`);
    after = outcome.state;
    transactions.push(decoded.transaction);
  }
  const closed = afterBlock(after, header, context.verify);
  if (!equalBytes(header.stateRoot, closed.root)) return invalid('wrong-state-root', 'another state results');
  return { kind: 'valid', state: closed, transactions };
}
