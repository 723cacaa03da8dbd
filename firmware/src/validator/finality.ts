/**
 * What becomes final on this box: blocks of the core, once all of them are here, blocks that a peer brings, and a
 * snapshot in the place of blocks; and what follows from each.
 */
import type { CoreState, FinalPoint, Input } from '../consensus/state.ts';
import { isTakenOut } from '../consensus/state.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { LedgerState } from '../ledger/types.ts';
import type { Clock, FinalBlock, InstitutionId, VerifySignature } from '../ports.ts';
import type { Archivist } from './archivist.ts';
import type { BlockTree } from './block-tree.ts';
import type { CatchUp } from './catch-up.ts';
import type { CertificateBook } from './certificate-book.ts';
import type { CertifiedBlocks } from './certified-blocks.ts';
import { executeCertified } from './certified-blocks.ts';
import type { Checks } from './checks.ts';
import type { Electorate } from './electorate.ts';
import type { ExecutedBlock, FinalChain, NewlyFinal } from './final-chain.ts';
import { closesEpoch } from './final-chain.ts';
import type { Handovers } from './handovers.ts';
import { blocksAskedMax } from './limits.ts';
import type { FinalTransactions, Mempool } from './mempool.ts';
import type { OwnKeys } from './own-keys.ts';
import { newlyKeyed } from './newly-keyed.ts';
import { isAfter } from './place.ts';
import type { Restarts } from './restarts.ts';
import type { Snapshots } from './snapshots.ts';
import type { Submissions } from './submissions.ts';
import type { VotingRights } from './voting-rights.ts';

export interface FinalityOptions {
  readonly self: InstitutionId;
  readonly chain: FinalChain;
  readonly tree: BlockTree;
  readonly book: CertificateBook;
  readonly checks: Checks;
  readonly rights: VotingRights;
  readonly restarts: Restarts;
  readonly ownKeys: OwnKeys;
  readonly handovers: Handovers;
  readonly mempool: Mempool;
  readonly submissions: Submissions;
  readonly clock: Clock;
  readonly verify: VerifySignature;
  /** Undefined: the box keeps all blocks. */
  readonly archivist: () => Archivist | undefined;
  readonly catchUp: () => Pick<CatchUp, 'look' | 'ask'>;
  readonly core: () => CoreState;
  readonly electorate: () => Electorate;
  readonly onFinal: (final: FinalBlock) => void;
}

export class Finality {
  readonly #options: FinalityOptions;

  constructor(options: FinalityOptions) {
    this.#options = options;
  }

  /** Where consensus goes on: the head of the block log. */
  get point(): FinalPoint {
    const { chain } = this.#options;
    const { digest } = chain.tip;
    const { view } = chain.place;
    const { certificate } = chain.evidence;
    const isOwn = view > 0 && equalBytes(certificate.digest, digest);
    return { view, digest, certificate: isOwn ? certificate : undefined };
  }

  /** True while the core knows that a block is final which the block log does not have. */
  get isBehind(): boolean {
    const { options, final } = this.#options.core();
    return isAfter({ epoch: options.epoch, view: final.view }, this.#options.chain.place);
  }

  /** Writes what has become final in the core, if all its blocks are here; otherwise has them fetched. */
  async write(): Promise<void> {
    const { tree } = this.#options;
    const { view, digest, certificate } = this.#options.core().final;
    if (certificate === undefined || !this.isBehind) return;
    const path = tree.pathTo(digest);
    if (path === undefined) {
      const found = tree.lookup(digest);
      if (found.kind !== 'missing') {
        throw new AppError(
          'STORE_CORRUPT',
          `the final block of view ${view} does not follow from the ledger of this box`,
        );
      }
      this.fetch(found.digest);
      return;
    }
    await this.#add(
      path.map((executed, index) => ({
        executed,
        certificate: index === path.length - 1 ? certificate : null,
      })),
    );
  }

  /** One block by its digest; a box that is far behind catches up by height first. */
  fetch(digest: Uint8Array): void {
    const { catchUp, chain, core } = this.#options;
    const behind = core().final.view - chain.place.view;
    if (behind > blocksAskedMax) catchUp().look();
    else catchUp().ask(digest);
  }

  /**
   * Blocks of a peer, from just above the head or below it, that end with a certified one. `taken-out`: a restart that
   * this box has taken may leave them out.
   */
  async apply(blocks: CertifiedBlocks): Promise<'applied' | 'wrong' | 'taken-out'> {
    const { chain, verify } = this.#options;
    const fresh = blocks.filter(({ block }) => block.header.height > chain.head.height);
    if (fresh.length === 0) return 'applied';
    if (this.#areTakenOut(fresh)) return 'taken-out';
    const final = executeCertified(chain.tip, fresh, verify);
    if (final === undefined) return 'wrong';
    await this.#add(final);
    return 'applied';
  }

  /** As the core judges certificates. What is final above the floor decides on all before it. */
  #areTakenOut(blocks: CertifiedBlocks): boolean {
    const { chain } = this.#options;
    const core = this.#options.core();
    const { restart } = core;
    const { epoch, view } = chain.place;
    if (restart === undefined || epoch !== core.options.epoch || view > restart.floor) return false;
    return blocks.every(
      ({ certificate }) =>
        certificate === null || (certificate.epoch === epoch && isTakenOut(core, certificate.view)),
    );
  }

  /** What tells the core of the newest final block, where a peer has brought it. */
  inputs(): readonly Input[] {
    const { chain, checks, core, electorate } = this.#options;
    const { certificate } = chain.evidence;
    const checked = checks.certificate(core(), electorate().votingKeys, certificate);
    return checked.kind === 'verified' ? [{ kind: 'certificate', certificate: checked.value }] : [];
  }

  /** A complete snapshot is ahead of all blocks here; consensus begins in its epoch after this batch. */
  async install(snapshots: Snapshots, epoch: number): Promise<void> {
    const { chain } = this.#options;
    await chain.install(snapshots, epoch);
    this.#forgetPast();
    this.#recheckWaiting({ ids: [], isOwn: false });
  }

  async #add(final: readonly NewlyFinal[]): Promise<void> {
    const { archivist, book, chain, handovers, ownKeys, restarts, rights } = this.#options;
    for (const { executed, certificate } of final)
      if (certificate !== null && closesEpoch(executed)) await handovers.epochCloses(executed, certificate);
    await chain.add(book.shownWith(final), (executed, before) => this.#becameFinal(executed, before));
    for (const { executed, certificate } of final) {
      if (certificate !== null && closesEpoch(executed)) {
        handovers.epochClosed(executed, certificate);
        archivist()?.epochClosed(executed, certificate);
      }
      const floor = ownKeys.becameFinal(executed);
      if (floor === undefined) continue;
      // A box that an order has given its vote back names a fresh key too, and goes on voting: all of them may do so in
      // one block, and with none of them in the view after it there would be no quorum.
      if (rights.isForgetful) await rights.votedUpTo(floor);
      await restarts.keyIsNamed();
    }
    this.#forgetPast();
  }

  #becameFinal({ block, state, transactions, ids }: ExecutedBlock, before: LedgerState): void {
    const { self, clock, mempool, submissions } = this.#options;
    submissions.becameFinal(ids, block.header);
    for (const institution of newlyKeyed(transactions, before, state))
      mempool.keysChanged(institution, clock.now());
    this.#recheckWaiting({ ids, isOwn: block.header.proposer === self });
    this.#options.onFinal({ block, transactions });
  }

  #recheckWaiting(contained: FinalTransactions): void {
    const { chain, clock, mempool, submissions } = this.#options;
    submissions.refused(mempool.afterFinal(contained, chain, clock.now()));
  }

  #forgetPast(): void {
    const { book, chain, tree } = this.#options;
    tree.prune();
    book.forgetUpTo(chain.place);
  }
}
