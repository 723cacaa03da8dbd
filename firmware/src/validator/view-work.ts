/** The work of the current view: judging its proposal, making an own one, giving it up in time. */
import { parentFor, repeatsParent } from '../consensus/parents.ts';
import type { CoreState, Input } from '../consensus/state.ts';
import { viewOf } from '../consensus/state.ts';
import type { ProposalHeader } from '../consensus/types.ts';
import { leaderOf } from '../consensus/types.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { buildBlock, transactionId } from '../ledger/index.ts';
import type { TransactionId } from '../ledger/types.ts';
import type { Clock, InstitutionId, Network, VerifySignature } from '../ports.ts';
import type { BlockTree } from './block-tree.ts';
import type { Electorate } from './electorate.ts';
import type { ExecutedBlock, FinalChain } from './final-chain.ts';
import { closesEpoch, executedBlock } from './final-chain.ts';
import { blockTimeSkewMsMax, blocksUnfinalMax, retransmitMs } from './limits.ts';
import type { Mempool, Refusal } from './mempool.ts';
import type { Pace } from './pace.ts';
import { failedViews, pace } from './pace.ts';
import { proposalHeader } from './vote-log.ts';

export interface ViewWorkOptions {
  readonly self: InstitutionId;
  readonly electorate: () => Electorate;
  readonly chain: FinalChain;
  readonly tree: BlockTree;
  readonly mempool: Mempool;
  readonly network: Network;
  readonly clock: Clock;
  readonly verify: VerifySignature;
  /** A block that is needed and not there. */
  readonly missing: (digest: Uint8Array) => void;
  readonly refused: (refusals: readonly Refusal[]) => void;
}

export interface ToPropose {
  readonly view: number;
  readonly parentDigest: Uint8Array;
}

/** What stands in blocks above the final head, up to one of them. */
interface Unfinal {
  readonly upTo: Uint8Array;
  readonly head: Uint8Array;
  readonly ids: ReadonlySet<TransactionId>;
  readonly blocks: number;
}

export class ViewWork {
  readonly #options: ViewWorkOptions;
  #startedAt: number;
  #workSince: number | undefined;
  #toPropose: ToPropose | undefined;
  #toJudge: ProposalHeader | undefined;
  #gaveUp = false;
  #unfinal: Unfinal | undefined;

  constructor(options: ViewWorkOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  startView(): void {
    this.#startedAt = this.#options.clock.now();
    this.#workSince = undefined;
    this.#toPropose = undefined;
    this.#toJudge = undefined;
    this.#gaveUp = false;
  }

  propose(request: ToPropose): void {
    this.#toPropose = request;
  }

  judge(header: ProposalHeader): void {
    this.#toJudge = header;
  }

  /** What can be said now, and when to look again, UTC milliseconds. */
  look(core: CoreState): { readonly inputs: readonly Input[]; readonly wakeAt: number } {
    const now = this.#options.clock.now();
    const { workSince, giveUpAt, wakeAt } = this.#pace(core, now);
    this.#workSince = workSince;
    const inputs: Input[] = [];
    const verdict = this.#verdict(core, now);
    if (verdict !== undefined) inputs.push(verdict);
    if (workSince !== undefined && this.#toPropose?.view === core.view) {
      const header = this.#build(core, this.#toPropose, now);
      if (header !== undefined) inputs.push({ kind: 'built', header });
    }
    if (giveUpAt !== undefined && giveUpAt <= now && !this.#gaveUp) {
      this.#gaveUp = true;
      inputs.push({ kind: 'timeout', view: core.view });
    }
    return { inputs, wakeAt: this.#gaveUp ? Infinity : wakeAt };
  }

  /** True if the view lasts although something was said in it, or others are ahead: messages may have been lost. */
  isStuck(core: CoreState): boolean {
    if (this.#options.clock.now() - this.#startedAt < retransmitMs) return false;
    const { own } = viewOf(core, core.view);
    const othersAreAhead = [...core.views.keys()].some((view) => view > core.view);
    const parentIsFinal = this.#parent(core).isFinal;
    return Object.keys(own).length > 0 || this.#workSince !== undefined || othersAreAhead || !parentIsFinal;
  }

  /** The block on which the view builds, as far as it is known here. */
  #parent(core: CoreState): {
    readonly block: ExecutedBlock;
    readonly isFinal: boolean;
    readonly view: number;
  } {
    const { chain, tree } = this.#options;
    const parent = parentFor(core, core.view);
    const found = parent === undefined ? undefined : tree.lookup(parent.parentDigest);
    const block = found?.kind === 'executed' ? found.block : chain.tip;
    const isFinal = parent === undefined || equalBytes(parent.parentDigest, chain.head.digest);
    return { block, isFinal, view: parent?.parentView ?? block.block.header.view };
  }

  #pace(core: CoreState, now: number): Pace {
    const { network, mempool, self } = this.#options;
    const { validators } = this.#options.electorate();
    const { proposal, votes } = viewOf(core, core.view);
    const parent = this.#parent(core);
    const leader = validators[leaderOf(core.options.epoch, core.view, validators.length)];
    const leaderIsConnected =
      leader === self ||
      network.peers().some(({ institution, connected }) => institution === leader && connected);
    const contained = this.#transactionsUpTo(parent.block.digest);
    return pace({
      now,
      startedAt: this.#startedAt,
      workSince: this.#workSince,
      // A proposal must lead to a block or be given up; so must a view that others give up.
      hasWork: proposal !== undefined || votes.nullify.size > 0 || mempool.hasWork(contained.ids),
      parentTime: parent.block.block.header.time,
      parentIsFinal: parent.isFinal,
      leaderIsConnected,
      failedViews: failedViews(core, parent.view),
      validators: validators.length,
    });
  }

  #verdict(core: CoreState, now: number): Input | undefined {
    const header = this.#toJudge;
    if (header === undefined || header.view !== core.view) return undefined;
    const { tree, missing } = this.#options;
    const found = tree.lookup(header.digest);
    if (found.kind === 'missing') {
      missing(found.digest);
      return undefined;
    }
    this.#toJudge = undefined;
    const valid = found.kind === 'executed' && this.#mayStand(header, found.block, now);
    return { kind: 'verdict', view: header.view, digest: header.digest, valid };
  }

  /** A block that is proposed again was timely when a quorum voted for it first. */
  #mayStand(header: ProposalHeader, executed: ExecutedBlock, now: number): boolean {
    if (repeatsParent(header)) return closesEpoch(executed);
    return Math.abs(executed.block.header.time - now) <= blockTimeSkewMsMax;
  }

  #build(core: CoreState, { view, parentDigest }: ToPropose, now: number): ProposalHeader | undefined {
    const { tree, mempool, chain, self, verify, missing, refused } = this.#options;
    const found = tree.lookup(parentDigest);
    if (found.kind === 'missing') missing(found.digest);
    if (found.kind !== 'executed') return undefined;
    const { block: parent, state } = found.block;
    if (parent.header.epoch === core.options.epoch && closesEpoch(found.block)) {
      this.#toPropose = undefined;
      return proposalHeader(parent, view);
    }
    const time = Math.max(now, parent.header.time + 1);
    // Nobody would vote for it: the own clock is far behind the parent's.
    if (time > now + blockTimeSkewMsMax) return undefined;
    const { ids, blocks } = this.#transactionsUpTo(parentDigest);
    const built = buildBlock(state, parent.header, {
      view,
      time,
      proposer: self,
      candidates: blocks < blocksUnfinalMax ? mempool.candidates(ids) : [],
      verify,
    });
    this.#toPropose = undefined;
    refused(
      mempool.built(
        {
          placed: [...ids, ...built.block.transactions.map(transactionId)],
          refused: built.refused.map(({ transaction }) => transaction),
        },
        chain,
        now,
      ),
    );
    tree.addExecuted(executedBlock(built.block, built.state, built.transactions));
    return proposalHeader(built.block);
  }

  /** Transactions of the blocks above the head up to this one, which wait for finality there. */
  #transactionsUpTo(digest: Uint8Array): Unfinal {
    const { tree, chain } = this.#options;
    const last = this.#unfinal;
    // Asked after each batch of messages, and another answer only after a block.
    if (last !== undefined && equalBytes(last.upTo, digest) && equalBytes(last.head, chain.head.digest))
      return last;
    const path = tree.pathTo(digest);
    const ids = new Set(path?.flatMap((block) => block.ids));
    const unfinal = { upTo: digest, head: chain.head.digest, ids, blocks: path?.length ?? 0 };
    if (path !== undefined) this.#unfinal = unfinal;
    return unfinal;
  }
}
